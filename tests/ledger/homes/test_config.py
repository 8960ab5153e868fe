"""A home's config.toml."""

from __future__ import annotations

import pytest

from ledger.consortium.address import Address, parse_address
from ledger.errors import InvalidInput
from ledger.homes.config import Config, default_listen, parse_config, render_config
from ledger.homes.web import Web

MINIMAL = 'member = "lender-1"\naddress = "lender-1.example:7700"\n'
FULL = (
    MINIMAL
    + f"""
listen = "[::]:7701"
passphrase_file = "../passphrase"
table = "/var/cache/table"
metrics = "127.0.0.1:9464"
cache_mib = 64
workers = 3
log_level = "debug"
revoked = ["{"ab" * 32}"]
"""
)


def test_the_least_a_config_says_is_who_and_where():
    address = Address("lender-1.example", 7700)
    assert parse_config(MINIMAL.encode()) == Config("lender-1", address, Address("0.0.0.0", 7700))


def test_everything_can_be_said():
    assert parse_config(FULL.encode()) == Config(
        member="lender-1",
        address=Address("lender-1.example", 7700),
        listen=Address("::", 7701),
        passphrase_file="../passphrase",
        table="/var/cache/table",
        metrics=Address("127.0.0.1", 9464),
        cache_mib=64,
        workers=3,
        log_level="debug",
        revoked=frozenset({b"\xab" * 32}),
    )


def test_what_a_new_home_gets_reads_back():
    address, listen = Address("lender-1.example", 7700), Address("10.0.0.1", 7701)
    assert parse_config(render_config("lender-1", address, listen).encode()) == Config("lender-1", address, listen)


def test_the_suggestions_in_a_new_config_hold_once_uncommented():
    lines = render_config("lender-1", Address("a", 1), Address("a", 1)).split("\n")
    suggested = [line.removeprefix("# ") if " = " in line or line == "# [web]" else line for line in lines]
    config = parse_config("\n".join(suggested).encode())
    assert config.metrics == Address("127.0.0.1", 9464)
    assert config.web == Web(Address("0.0.0.0", 7780))


@pytest.mark.parametrize(
    ("address", "listen"),
    [
        ("lender-1.example:7700", "0.0.0.0:7700"),
        ("10.0.0.1:7700", "0.0.0.0:7700"),
        ("[2001:db8::1]:7700", "[::]:7700"),
        ("127.0.0.1:7700", "127.0.0.1:7700"),
        ("[::1]:7700", "[::1]:7700"),
        ("localhost:7700", "localhost:7700"),
    ],
)
def test_a_node_listens_everywhere_unless_it_is_this_machines_own(address, listen):
    assert str(default_listen(parse_address(address, ""))) == listen


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("colour = 1", "colour"),
        ('listen = "x"', "listen"),
        ("cache_mib = 0", "cache_mib"),
        ("workers = -1", "workers"),
        ('log_level = "loud"', "log_level"),
        ('revoked = ["ab"]', "revoked[0]"),
        ('passphrase = "words"', "passphrase"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(line, path):
    with pytest.raises(InvalidInput) as caught:
        parse_config(f"{MINIMAL}{line}\n".encode())
    assert caught.value.path == f"config.toml.{path}"


@pytest.mark.parametrize("raw", [b"", b"\xff", b"member", b'member = "A"\naddress = "a:1"', b'member = "a"'])
def test_what_is_no_config_is_refused(raw):
    with pytest.raises(InvalidInput):
        parse_config(raw)
