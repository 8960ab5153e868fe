"""Out of the points m_f G, the sums m_f (protocol, 12): small counts by their digits, amounts by search.

Bands come first: they say between which bounds the outstanding lies, and the other two amounts are looked for near it.
Where an honest sum is, is so found in few steps; where none is, everything in range has been looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ledger.bands import Bands
from ledger.digits import BAND_DIGITS, OVERDUE_BAND_DIGITS, TALLY_HIGH_DIGITS, TALLY_LOW_LIMIT, unpack_tally_low
from ledger.dlog import Table
from ledger.fields import AMOUNTS, Field
from ledger.group import Point
from ledger.plausibility import Sums, outstanding_bounds

CarryOn = Callable[[], bool]
"""Asked now and then during a long search; False ends it with Exhausted (SEARCH_STOPPED)."""


def open_sums(
    points: Mapping[int, Point],
    contributors: int,
    table: Table,
    amount_bits: int,
    bands: Bands,
    carry_on: CarryOn | None = None,
) -> Sums:
    """The sums behind the points of the released fields. Amounts are looked for below 2^amount_bits.

    contributors: 1 to 63. 15 us for every 2^table.bits between where a search starts and what it finds.
    """
    counts = table.find_packed(points[Field.BAND], BAND_DIGITS, contributors)
    tally = table.find(points[Field.TALLY_LOW], TALLY_LOW_LIMIT)
    amounts: dict[Field, int | None] = {}
    near = outstanding_bounds(counts, bands)[0] if counts else 0
    for field in AMOUNTS:  # outstanding is the first
        if field in points:
            amounts[field] = _search(points[field], near, 1 << amount_bits, table, carry_on)
            near = amounts[field] or near if field is Field.OUTSTANDING else near
    return Sums(
        amounts,
        None if tally is None else unpack_tally_low(tally),
        table.find_packed(points[Field.TALLY_HIGH], TALLY_HIGH_DIGITS, contributors),
        counts,
        table.find_packed(points[Field.OVERDUE_BAND], OVERDUE_BAND_DIGITS, contributors),
    )


def _search(point: Point, near: int, limit: int, table: Table, carry_on: CarryOn | None) -> int | None:
    for start, stop in _ranges(near, limit, 1 << table.bits):
        found = table.find(point, stop, start=start, carry_on=carry_on)
        if found is not None:
            return found
    return None


def _ranges(near: int, limit: int, step: int) -> Iterator[tuple[int, int]]:
    """0 .. limit - 1 in disjoint pieces that grow, by turns from `near` upwards and from 0."""
    near = min(near, limit)
    low, high, width = 0, near, 4 * step
    while low < near or high < limit:
        if high < limit:
            yield high, min(high + width, limit)
            high += width
        if low < near:
            yield low, min(low + width, near)
            low += width
        width *= 2
