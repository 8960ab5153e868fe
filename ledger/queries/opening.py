"""Out of the points m_f G, the sums m_f (protocol, 12): small counts by their digits, amounts by search.

Bands come first: they say between which bounds the outstanding lies. Credit limits are looked for from the outstanding
upwards, what is due from 0. So honest sums are found in few steps; where none is found, everything in range has been
looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ledger.crypto.dlog import Table
from ledger.crypto.group import Point
from ledger.positions.bands import Bands
from ledger.positions.digits import (
    BAND_DIGITS,
    OVERDUE_BAND_DIGITS,
    TALLY_HIGH_DIGITS,
    TALLY_LOW_LIMIT,
    unpack_tally_low,
)
from ledger.positions.fields import Field
from ledger.queries.plausibility import Sums, outstanding_bounds

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
    limit = 1 << amount_bits
    counts = table.find_packed(points[Field.BAND], BAND_DIGITS, contributors)
    tally = table.find(points[Field.TALLY_LOW], TALLY_LOW_LIMIT)
    amounts: dict[Field, int | None] = {}
    if Field.OUTSTANDING in points:
        low, high = (0, limit) if counts is None else outstanding_bounds(counts, bands)
        outstanding = _search(points[Field.OUTSTANDING], low, high + 1, limit, table, carry_on)
        amounts[Field.OUTSTANDING] = outstanding
        amounts[Field.MONTHLY_DUE] = _search(points[Field.MONTHLY_DUE], 0, limit, limit, table, carry_on)
        near = outstanding or 0
        likely = near + 2 * near + (4 << table.bits)
        amounts[Field.CREDIT_LIMIT] = _search(points[Field.CREDIT_LIMIT], near, likely, limit, table, carry_on)
    return Sums(
        amounts,
        None if tally is None else unpack_tally_low(tally),
        table.find_packed(points[Field.TALLY_HIGH], TALLY_HIGH_DIGITS, contributors),
        counts,
        table.find_packed(points[Field.OVERDUE_BAND], OVERDUE_BAND_DIGITS, contributors),
    )


def _search(point: Point, low: int, high: int, limit: int, table: Table, carry_on: CarryOn | None) -> int | None:
    """m below `limit`, looked for in low .. high - 1 first, then below, then above."""
    for start, stop in _pieces(low, high, limit):
        found = table.find(point, stop, start=start, carry_on=carry_on)
        if found is not None:
            return found
    return None


def _pieces(low: int, high: int, limit: int) -> list[tuple[int, int]]:
    """0 .. limit - 1 in three pieces, none of them empty."""
    low, high = min(low, limit), min(high, limit)
    return [(start, stop) for start, stop in ((low, high), (0, low), (high, limit)) if start < stop]
