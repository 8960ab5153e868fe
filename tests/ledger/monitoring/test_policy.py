"""watch.toml, read strictly."""

from __future__ import annotations

import pytest

from ledger.errors import InvalidInput
from ledger.monitoring import Rules, Schedule, WatchPolicy, Webhook, parse_watch_policy

HEAD = 'format = "plimsoll/watch/v1"\n'


def read(text: str) -> WatchPolicy:
    return parse_watch_policy((HEAD + text).encode())


def test_what_is_left_out_is_as_in_the_default() -> None:
    assert read("") == WatchPolicy(Rules(), Schedule(), None)
    assert read("[rules]\noverdue = false").rules == Rules(overdue=False)
    assert read("[exposure]\npercent = 5").rules == Rules(percent=5)
    assert read("[inquiries]\nabove = 1").rules == Rules(inquiries=1)
    assert read("[schedule]\nevery = 1").schedule == Schedule(every=1)


@pytest.mark.parametrize(
    "url",
    [
        "https://loans.example/plimsoll?a=b",
        "https://loans.example:8443",
        "https://10.0.0.1/x",
        "http://127.0.0.1:8080/x",
        "http://[::1]:80/",
        "http://localhost:1/",
    ],
)
def test_a_webhook_is_reached_by_https_or_on_this_machine(url: str) -> None:
    assert read(f'[webhook]\nurl = "{url}"\nsecret_file = "s"').webhook == Webhook(url, "s")


@pytest.mark.parametrize(
    "url",
    [
        "http://loans.example/",
        "http://10.0.0.1/",
        "http://localhost.example/",
        "http://127.0.0.1.example/",
        "https://user:secret@loans.example/",
        "https://loans.example/#x",
        "https://loans.example:0/",
        "https:///x",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://loans.example/ä",
        "https://loans.example\\\\@127.0.0.1/",
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(f'[webhook]\nurl = "{url}"\nsecret_file = "s"')
    assert caught.value.path == "webhook.url"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("x = 1", "x"),
        ("[rules]\nnew_lenders = true", "rules.new_lenders"),
        ("[rules]\nnew_lender = 1", "rules.new_lender"),
        ("[exposure]\npercent = -1", "exposure.percent"),
        ("[schedule]\nevery = 0", "schedule.every"),
        ("[schedule]\ninquiry_share = 101", "schedule.inquiry_share"),
        ('[webhook]\nurl = "https://a.example"', "webhook.secret_file"),
    ],
)
def test_a_mistake_is_named(text: str, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(text)
    assert caught.value.path == path


def test_what_is_no_policy_is_refused() -> None:
    for raw in (b"\xff", b"format = 1", b"", b"#" * 20_000):
        with pytest.raises(InvalidInput):
            parse_watch_policy(raw)
