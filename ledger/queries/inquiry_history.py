"""Who asked about a borrower, why, and how often of late (design, section 6, Report)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.borrower.labels import Numbered, QueryKeys
from ledger.errors import InvalidInput
from ledger.queries.inquiry import DAY, Inquiry
from ledger.queries.selection import Tree

SHORT_DAYS = 30
LONG_DAYS = 90
MAX_LOOKED_AT = 1000  # inquiries per member; times may go back and forth, so there is no other place to stop


@dataclass(frozen=True, slots=True)
class InquiryCount:
    """Inquiries of one member for one purpose (number of the Purpose enumeration) in the last 30 and 90 days."""

    member: str
    purpose: int
    days_30: int
    days_90: int


def count_inquiries(keys: QueryKeys, trees: Sequence[Tree], now: int) -> tuple[InquiryCount, ...]:
    """What these trees say at `now` (Unix seconds), by member in the trees' order and by purpose.

    Of each member the newest 1,000 are looked at. All that are logged count, answered or not.
    """
    counts = []
    for tree in trees:
        short: Counter[int] = Counter()
        long: Counter[int] = Counter()
        for inquiry in _newest(keys, tree):
            age = now - inquiry.time
            long[inquiry.purpose] += age < LONG_DAYS * DAY
            short[inquiry.purpose] += age < SHORT_DAYS * DAY
        counts += [InquiryCount(tree.member, purpose, short[purpose], long[purpose]) for purpose in sorted(+long)]
    return tuple(counts)


def _newest(keys: QueryKeys, tree: Tree) -> list[Inquiry]:
    numbered = Numbered(tree.log, keys.inquiries(tree.member))
    newest = numbered.newest(tree.size)
    found = []
    for number in range(newest, max(-1, newest - MAX_LOOKED_AT), -1) if newest is not None else ():
        index = numbered.index_below(number, tree.size)
        if index is None:  # a gap: its author's misconduct, and nothing to count
            continue
        try:
            found.append(Inquiry.parse(tree.log.entry(index)))
        except InvalidInput:  # a position under an inquiry's label: likewise
            continue
    return found
