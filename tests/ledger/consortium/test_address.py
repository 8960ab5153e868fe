"""Addresses: one spelling each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.consortium.address import parse_address
from ledger.errors import InvalidInput

GOOD = [
    ("localhost:1", "localhost", 1),
    ("lender-1.example:65535", "lender-1.example", 65535),
    ("node_1:7700", "node_1", 7700),
    ("10.0.0.1:7700", "10.0.0.1", 7700),
    ("[::1]:7700", "::1", 7700),
    ("[2001:db8::7]:7700", "2001:db8::7", 7700),
    (f"{'a' * 63}.b:1", f"{'a' * 63}.b", 1),
]


@pytest.mark.parametrize(("text", "host", "port"), GOOD)
def test_hosts_and_ports_are_read_and_written_back(text, host, port):
    address = parse_address(text, "address")
    assert (address.host, address.port, str(address)) == (host, port, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        ":7700",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:07",
        "localhost:+7",
        "localhost:٧",
        "Localhost:7",
        "bücher.example:7",
        "a b:7",
        "-a:7",
        "a-:7",
        "a..b:7",
        ".a:7",
        "a.:7",
        f"{'a' * 64}:7",
        f"{'.'.join(['a'] * 128)}:7",
        "127.1:7",
        "1:7",
        "256.0.0.1:7",
        "010.0.0.1:7",
        "::1:7",
        "[::1]",
        "[::1:7",
        "[0:0:0:0:0:0:0:1]:7",
        "[2001:DB8::7]:7",
        "[fe80::1%eth0]:7",
        "[localhost]:7",
        "[10.0.0.1]:7",
        "https://a:7",
        "a:7\n",
    ],
)
def test_everything_else_is_refused_with_the_path(text):
    with pytest.raises(InvalidInput) as caught:
        parse_address(text, "member[0].address")
    assert caught.value.path == "member[0].address"


@pytest.mark.parametrize(("text", "wildcard"), [("0.0.0.0:1", True), ("[::]:1", True), ("10.0.0.0:1", False)])
def test_an_address_that_means_every_interface_is_known(text, wildcard):
    assert parse_address(text, "").is_wildcard is wildcard


@given(st.text("abz019.-_:[]%/", max_size=40))
def test_any_text_is_an_address_in_its_only_spelling_or_refused(text):
    try:
        address = parse_address(text, "address")
    except InvalidInput:
        return
    assert str(address) == text
