"""Reading the sums of a query, and whether they can be true (protocol, 12).

One record of nonsense, negative amounts for instance, makes the sums nonsense. Its author cannot be told from the sums,
but they contradict themselves: bands and classes count the lenders a second and a third time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.positions.bands import Bands
from ledger.positions.digits import DIGIT_BITS, MAX_ACCOUNTS, pack
from ledger.positions.fields import AMOUNTS, Field

IMPLAUSIBLE = "IMPLAUSIBLE"


@dataclass(frozen=True, slots=True)
class Sums:
    """What the points opened to; None where nothing was found in range, or the field was not released.

    amounts: minor units by field. passing, accounts: of tally_low. worse: lenders in special-mention, substandard,
    doubtful and loss. bands, overdue_bands: lenders per band.
    """

    amounts: Mapping[Field, int | None] = field(repr=False)
    tally: tuple[int, int] | None
    worse: tuple[int, ...] | None
    bands: tuple[int, ...] | None
    overdue_bands: tuple[int, ...] | None

    @property
    def classes(self) -> tuple[int, ...] | None:
        """Lenders per class, pass first."""
        if self.tally is None or self.worse is None:
            return None
        return (self.tally[0], *self.worse)

    def plaintexts(self) -> dict[Field, int | None]:
        """The sum of the plaintexts of each released field."""
        return {
            **{f: self.amounts[f] for f in AMOUNTS if f in self.amounts},
            Field.TALLY_LOW: None if self.tally is None else self.tally[1] << DIGIT_BITS | self.tally[0],
            Field.TALLY_HIGH: None if self.worse is None else pack(self.worse),
            Field.BAND: None if self.bands is None else pack(self.bands),
            Field.OVERDUE_BAND: None if self.overdue_bands is None else pack(self.overdue_bands),
        }


def contradictions(sums: Sums, contributors: int, bands: Bands) -> tuple[str, ...]:
    """The checks P1 to P6 that fail, as stable codes; a check whose numbers are missing is not made."""
    found = [f"OUT_OF_RANGE:{f.label}" for f, amount in sums.amounts.items() if amount is None]
    found += [f"UNREADABLE:{f.label}" for f, m in sums.plaintexts().items() if f not in AMOUNTS and m is None]
    if sums.classes is not None and sum(sums.classes) != contributors:
        found.append("CLASSES")
    if sums.bands is not None and sum(sums.bands) != contributors:
        found.append("BANDS")
    if sums.tally is not None and not contributors <= sums.tally[1] <= MAX_ACCOUNTS * contributors:
        found.append("ACCOUNTS")
    outstanding = sums.amounts.get(Field.OUTSTANDING)
    if sums.bands is not None and outstanding is not None and not _fits(outstanding, sums.bands, bands):
        found.append("BAND_SUM")
    return tuple(found)


def _fits(outstanding: int, counts: tuple[int, ...], bands: Bands) -> bool:
    """Whether so many lenders in these bands can have this much outstanding together."""
    low, high = outstanding_bounds(counts, bands)
    return low <= outstanding <= high


def outstanding_bounds(counts: tuple[int, ...], bands: Bands) -> tuple[int, int]:
    """The least and the most that so many lenders per band can have outstanding together, minor units."""
    ranges = [bands.outstanding_range(band) for band in range(len(counts))]
    low = sum(count * low for count, (low, _) in zip(counts, ranges, strict=True))
    return low, sum(count * high for count, (_, high) in zip(counts, ranges, strict=True))
