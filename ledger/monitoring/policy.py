"""A lender's watch policy, `watch.toml`: which changes count, how often to ask, and whom to tell.

    format = "plimsoll/watch/v1"

    [rules]                   # each may be turned off
    new_lender = true

    [exposure]
    percent = 20
    at_least = 10000          # major units

    [webhook]                 # without it nobody is told but by the command
    url = "https://loans.example/plimsoll"
    secret_file = "webhook.secret"

What is left out is as in the default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from ledger.consortium.address import Address, parse_address
from ledger.errors import InvalidInput
from ledger.toml import Table, read_toml

FORMAT = "plimsoll/watch/v1"
MAX_BYTES = 1 << 14
MAX_PERCENT = 100_000
MAX_MAJOR = 10**9
MAX_COUNT = 10_000
MAX_DAYS = 366
MAX_URL = 2000

_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#@\\\s]+)(?P<rest>/[!-~]*)?")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Rules:
    """new_lender .. dispute: which are told at all. percent, at_least: the exposure is up by more than this share, and
    by this much in major units or more. inquiries: of others before a loan in 30 days; told when there are more."""

    new_lender: bool = True
    settled: bool = True
    exposure: bool = True
    worse_class: bool = True
    overdue: bool = True
    more_inquiries: bool = True
    headroom: bool = True
    dispute: bool = True
    percent: int = 20
    at_least: int = 10_000
    inquiries: int = 6


@dataclass(frozen=True, slots=True)
class Schedule:
    """every: days from one question about a borrower to the next. inquiry_share, borrower_share: percent of the
    member's inquiries a day, and of those about one borrower, that watching may take."""

    every: int = 7
    inquiry_share: int = 20
    borrower_share: int = 67


@dataclass(frozen=True, slots=True)
class Webhook:
    """url: https, or http to the loopback interface. secret_file: relative to the home."""

    url: str
    secret_file: str


@dataclass(frozen=True, slots=True)
class WatchPolicy:
    """All of it."""

    rules: Rules = Rules()
    schedule: Schedule = Schedule()
    webhook: Webhook | None = None


_SWITCHES = tuple(each.name for each in fields(Rules) if isinstance(each.default, bool))


def parse_watch_policy(raw: bytes) -> WatchPolicy:
    """Reads a policy file. Raises InvalidInput with the key's path."""
    if len(raw) > MAX_BYTES:
        raise InvalidInput("TOO_LARGE", f"at most {MAX_BYTES} bytes")
    try:
        table = read_toml(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidInput("BAD_TOML", "not UTF-8") from None
    if table.text("format") != FORMAT:
        raise InvalidInput("BAD_FORMAT", f"must be {FORMAT}", "format")
    rules, schedule = _rules(table), _schedule(table)
    webhook = _webhook(table.table("webhook")) if "webhook" in table else None
    table.finish()
    return WatchPolicy(rules, schedule, webhook)


def _rules(table: Table) -> Rules:
    switches: dict[str, bool] = {}
    if "rules" in table:
        inner = table.table("rules")
        switches = {key: inner.boolean(key, True) for key in _SWITCHES}
        inner.finish()
    default = Rules()
    percent, at_least, inquiries = default.percent, default.at_least, default.inquiries
    if "exposure" in table:
        inner = table.table("exposure")
        percent = inner.integer("percent", 0, MAX_PERCENT, percent)
        at_least = inner.integer("at_least", 0, MAX_MAJOR, at_least)
        inner.finish()
    if "inquiries" in table:
        inner = table.table("inquiries")
        inquiries = inner.integer("above", 0, MAX_COUNT, inquiries)
        inner.finish()
    return Rules(percent=percent, at_least=at_least, inquiries=inquiries, **switches)


def _schedule(table: Table) -> Schedule:
    default = Schedule()
    if "schedule" not in table:
        return default
    inner = table.table("schedule")
    made = Schedule(
        inner.integer("every", 1, MAX_DAYS, default.every),
        inner.integer("inquiry_share", 1, 100, default.inquiry_share),
        inner.integer("borrower_share", 1, 100, default.borrower_share),
    )
    inner.finish()
    return made


def _webhook(table: Table) -> Webhook:
    url = table.text("url", maximum=MAX_URL)
    _check_url(url, table.path("url"))
    made = Webhook(url, table.text("secret_file"))
    table.finish()
    return made


def _check_url(url: str, path: str) -> None:
    """What leaves the lender in the clear, or with a password in the address, is a mistake."""
    found = _URL.fullmatch(url)
    if found is None:
        raise InvalidInput("BAD_URL", "must be https://host[:port][/path], without user and fragment", path)
    scheme, authority = found["scheme"], found["authority"]
    if "#" in (found["rest"] or ""):
        raise InvalidInput("BAD_URL", "a fragment is not sent", path)
    has_port = re.search(r":[0-9]+\Z", authority) is not None
    address = parse_address(authority if has_port else f"{authority}:{_PORTS[scheme]}", path)
    if scheme == "http" and not _is_loopback(address):
        raise InvalidInput("NOT_HTTPS", "plain http is for the loopback interface alone", path)


def _is_loopback(address: Address) -> bool:
    return address.host == "localhost" or (address.ip is not None and address.ip.is_loopback)
