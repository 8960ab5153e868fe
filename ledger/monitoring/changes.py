"""What has changed about a borrower between two answers, by the lender's rules: one function each.

What cannot be told for sure is not told as if it could: where sums are withheld, only a rise that follows whatever the
sums are is told as one, and one that the bands merely suggest has another code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger.decision.facts import Facts
from ledger.monitoring.event import Event, EventUnit
from ledger.monitoring.policy import Rules


@dataclass(frozen=True, slots=True)
class Headroom:
    """What one decision policy would have approved before and approves now (ledger.decision.assess), minor units; None
    where it cannot be told."""

    before: int | None = None
    now: int | None = None


@dataclass(frozen=True, slots=True)
class _Pair:
    """left_out: members whose records count in the first answer only; returned: in the second one only."""

    before: Facts
    now: Facts
    rules: Rules
    minor_per_major: int
    headroom: Headroom

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.now.excluded) - set(self.before.excluded)))

    @property
    def returned(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.before.excluded) - set(self.now.excluded)))


def events(
    before: Facts, now: Facts, rules: Rules, minor_per_major: int = 100, headroom: Headroom | None = None
) -> tuple[Event, ...]:
    """In the order of `ledger.monitoring.event.CODES`; the same for the same, and nothing for an answer that says what
    the one before said."""
    pair = _Pair(before, now, rules, minor_per_major, headroom or Headroom())
    return tuple(event for rule in _RULES for event in rule(pair))


def _others(facts: Facts) -> int:
    """Lenders but for the one that asks, whose own new loan is no news to it."""
    return facts.lenders - facts.includes_own


def _new_lender(pair: _Pair) -> Iterator[Event]:
    before, now = _others(pair.before), _others(pair.now)
    if pair.rules.new_lender and now > before:
        yield Event("NEW_LENDER", EventUnit.COUNT, before, now, members=pair.returned)


def _settled(pair: _Pair) -> Iterator[Event]:
    """Fewer lenders; those that were left out may be there as before."""
    before, now = _others(pair.before), _others(pair.now)
    if pair.rules.settled and now < before - len(pair.left_out):
        yield Event("SETTLED", EventUnit.COUNT, before, now, members=pair.left_out)


def _exposure(pair: _Pair) -> Iterator[Event]:
    if not pair.rules.exposure:
        return
    low_before, high_before = pair.before.outstanding_bounds
    low, high = pair.now.outstanding_bounds
    limit = (pair.rules.percent, EventUnit.PERCENT, pair.returned)
    if high_before is not None and _is_rise(high_before, low, pair):
        yield Event("EXPOSURE_UP", EventUnit.MINOR, high_before, low, *limit)
    elif pair.before.amounts is None or pair.now.amounts is None:
        # Bands are always told: where they moved up by as much as the rule asks for, the sums may have.
        least_before, least = _least(pair.before), _least(pair.now)
        possible = high is None or _is_rise(low_before, high, pair)
        if possible and _is_rise(least_before, least, pair):
            yield Event("EXPOSURE_MAY_BE_UP", EventUnit.MINOR, least_before, least, *limit)


def _is_rise(before: int, now: int, pair: _Pair) -> bool:
    rise, rules = now - before, pair.rules
    return rise > 0 and rise >= rules.at_least * pair.minor_per_major and rise * 100 > before * rules.percent


def _least(facts: Facts) -> int:
    """The least that can be outstanding by the bands alone, minor units."""
    return sum(band.low * band.lenders for band in facts.bands)


def _worse_class(pair: _Pair) -> Iterator[Event]:
    before, now = pair.before.worst_class, pair.now.worst_class
    # Somebody without any loan has no class, and a first loan in class pass is no worse than that.
    if pair.rules.worse_class and now is not None and now > (before or 0):
        yield Event("WORSE_CLASS", EventUnit.CLASS, before, now, members=pair.returned)


def _overdue(pair: _Pair) -> Iterator[Event]:
    """Something is overdue, and nothing was: the least it can be is the lower end of the highest band."""
    now = pair.now.worst_overdue
    if pair.rules.overdue and pair.before.worst_overdue is None and now is not None:
        yield Event("OVERDUE", EventUnit.MINOR, None, now, members=pair.returned)


def _inquiries(pair: _Pair) -> Iterator[Event]:
    before, now, limit = pair.before.inquiries_30, pair.now.inquiries_30, pair.rules.inquiries
    if pair.rules.more_inquiries and before <= limit < now:
        yield Event("INQUIRIES", EventUnit.COUNT, before, now, limit)


def _headroom(pair: _Pair) -> Iterator[Event]:
    before, now = pair.headroom.before, pair.headroom.now
    if pair.rules.headroom and before and now == 0:
        yield Event("HEADROOM_GONE", EventUnit.MINOR, before, now)


def _dispute(pair: _Pair) -> Iterator[Event]:
    before, now = pair.before.disputes, pair.now.disputes
    if pair.rules.dispute and now > before:
        yield Event("NEW_DISPUTE", EventUnit.COUNT, before, now)


_Rule = Callable[[_Pair], Iterator[Event]]
_RULES: tuple[_Rule, ...] = (
    _new_lender,
    _settled,
    _exposure,
    _worse_class,
    _overdue,
    _inquiries,
    _headroom,
    _dispute,
)
