"""A lender's decision policy: a TOML text with a version of its own, every number in it checked.

    format = "plimsoll/decision-policy/v1"
    name = "internet consumer loans"
    version = 3
    currency = "CNY"

    [service]                 # monthly payments, percent of a month's income
    review_above = 50
    decline_above = 70

What is left out has the value of the default policy; `render_decision_policy` writes all of it. Amounts are in major
units. A policy's id is the SHA-256 of its text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from ledger.errors import InvalidInput
from ledger.positions.classification import Classification
from ledger.toml import Table, quote, read_toml

FORMAT = "plimsoll/decision-policy/v1"
MAX_BYTES = 1 << 16
MAX_PERCENT = 100_000
MAX_MAJOR = 10**9
MAX_COUNT = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Above which figure a person decides, and above which the answer is no. review_above <= decline_above."""

    review_above: int
    decline_above: int


@dataclass(frozen=True, slots=True)
class ClassLimits:
    """From which class on a person decides, and from which the answer is no."""

    review_from: Classification
    decline_from: Classification


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
    """minor_per_major: as in the manifest. term_months: of loans whose terms are not told, for the headroom.

    service, debt: percent of a month's income, due each month and outstanding in all. cap: outstanding of one borrower
    with this loan, major units. lenders: with this one. overdue: of one lender, major units: what is compared is the
    lower end of the highest band. inquiries: of others before a loan, 30 days. rise_percent, rise_from: inquiries are
    rising where those of 30 days are at least rise_from, and more than so many percent of the 60 days before, by the
    month. rolling: months with signs of rolling debt. stale_review: whether a stale log asks for a person.
    """

    name: str = "default"
    version: int = 1
    currency: str = "CNY"
    minor_per_major: int = 100
    term_months: int = 12
    service: Limits = Limits(50, 70)
    debt: Limits = Limits(300, 600)
    cap: Limits = Limits(200_000, 200_000)
    lenders: Limits = Limits(4, 8)
    worst_class: ClassLimits = ClassLimits(Classification.SPECIAL_MENTION, Classification.SUBSTANDARD)
    overdue: Limits = Limits(0, 10_000)
    inquiries: Limits = Limits(6, 20)
    rise_percent: int = 200
    rise_from: int = 3
    rolling: Limits = Limits(0, 3)
    stale_review: bool = False
    text: str = field(default="", repr=False, compare=False)

    @property
    def id(self) -> bytes:
        """SHA-256 of the text it was read from, or would be written as: 32 bytes."""
        return hashlib.sha256((self.text or render_decision_policy(self)).encode()).digest()

    def minor(self, major: int) -> int:
        """Major units in minor ones."""
        return major * self.minor_per_major


def default_policy(currency: str, minor_per_major: int) -> DecisionPolicy:
    """The policy of a lender that has none of its own. Written for yuan: with another currency, write one."""
    return DecisionPolicy(currency=currency, minor_per_major=minor_per_major)


_LIMITS = {
    "service": MAX_PERCENT,
    "debt": MAX_PERCENT,
    "cap": MAX_MAJOR,
    "lenders": MAX_COUNT,
    "overdue": MAX_MAJOR,
    "inquiries": MAX_COUNT,
    "rolling": MAX_COUNT,
}


def parse_decision_policy(raw: bytes) -> DecisionPolicy:
    """Reads a policy file. Raises InvalidInput with the key's path."""
    if len(raw) > MAX_BYTES:
        raise InvalidInput("TOO_LARGE", f"a policy has at most {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("BAD_TOML", "not UTF-8") from None
    return _read(read_toml(text), text)


def _read(table: Table, text: str) -> DecisionPolicy:
    default = DecisionPolicy()
    if table.text("format") != FORMAT:
        raise InvalidInput("BAD_FORMAT", f"must be {FORMAT}", "format")
    values: dict[str, object] = {
        "name": table.text("name", maximum=100),
        "version": table.integer("version", 1, 1 << 31),
        "currency": table.text("currency", maximum=3),
        "minor_per_major": table.integer("minor_per_major", 1, 10_000, default.minor_per_major),
        "term_months": table.integer("term_months", 1, 600, default.term_months),
    }
    for key, most in _LIMITS.items():
        limits: Limits = getattr(default, key)
        if key in table:
            inner = table.table(key)
            limits = _limits(inner, limits, most)
            if key == "inquiries":
                values["rise_percent"] = inner.integer("rise_percent", 1, MAX_PERCENT, default.rise_percent)
                values["rise_from"] = inner.integer("rise_from", 1, MAX_COUNT, default.rise_from)
            inner.finish()
        values[key] = limits
    if "class" in table:
        values["worst_class"] = _classes(table.table("class"), default.worst_class)
    if "data" in table:
        inner = table.table("data")
        values["stale_review"] = _one_of(inner, "stale", ("note", "review")) == "review"
        inner.finish()
    table.finish()
    return DecisionPolicy(**values, text=text)  # type: ignore[arg-type]  # each key was read with its own type


def _limits(table: Table, default: Limits, most: int) -> Limits:
    limits = Limits(
        table.integer("review_above", 0, most, default.review_above),
        table.integer("decline_above", 0, most, default.decline_above),
    )
    if limits.review_above > limits.decline_above:
        raise InvalidInput("OUT_OF_RANGE", "must not be below review_above", table.path("decline_above"))
    return limits


def _classes(table: Table, default: ClassLimits) -> ClassLimits:
    found = ClassLimits(
        *(
            Classification.parse(table.text(key, getattr(default, key).label), table.path(key))
            for key in ("review_from", "decline_from")
        )
    )
    if found.review_from > found.decline_from:
        raise InvalidInput("OUT_OF_RANGE", "must not be better than review_from", table.path("decline_from"))
    table.finish()
    return found


def _one_of(table: Table, key: str, values: tuple[str, ...]) -> str:
    value = table.text(key)
    if value not in values:
        raise InvalidInput("BAD_VALUE", f"must be {' or '.join(values)}", table.path(key))
    return value


def render_decision_policy(policy: DecisionPolicy) -> str:
    """The text of a policy, all of it."""
    lines = [
        f"format = {quote(FORMAT)}",
        f"name = {quote(policy.name)}",
        f"version = {policy.version}",
        f"currency = {quote(policy.currency)}",
        f"minor_per_major = {policy.minor_per_major}",
        f"term_months = {policy.term_months}",
    ]
    for key in _LIMITS:
        limits: Limits = getattr(policy, key)
        lines += ["", f"[{key}]", f"review_above = {limits.review_above}", f"decline_above = {limits.decline_above}"]
        if key == "inquiries":
            lines += [f"rise_percent = {policy.rise_percent}", f"rise_from = {policy.rise_from}"]
    worst = policy.worst_class
    lines += ["", "[class]", f"review_from = {quote(worst.review_from.label)}"]
    lines += [f"decline_from = {quote(worst.decline_from.label)}"]
    lines += ["", "[data]", f"stale = {quote('review' if policy.stale_review else 'note')}"]
    return "\n".join(lines) + "\n"
