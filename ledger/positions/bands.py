"""Bands: which range an amount falls into, told where the amount itself is withheld (design, section 6)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import InvalidInput
from ledger.positions.digits import BAND_DIGITS, OVERDUE_BAND_DIGITS
from ledger.positions.loan import MAX_AMOUNT

ABOVE = "above"


@dataclass(frozen=True, slots=True)
class Bands:
    """The upper edges of all bands but the last, in minor units, ascending: five of outstanding, four of overdue.

    Band b holds the amounts below edge b and not below edge b - 1; the last holds all others.
    """

    outstanding: tuple[int, ...]
    overdue: tuple[int, ...]
    minor_per_major: int

    @classmethod
    def from_major(cls, outstanding: Sequence[int], overdue: Sequence[int], minor_per_major: int) -> Bands:
        """From the manifest's edges in major units. Raises InvalidInput."""
        if not 1 <= minor_per_major <= 10_000:
            raise InvalidInput("OUT_OF_RANGE", "must be 1 to 10000", "minor_per_major")
        return cls(
            _minor(outstanding, BAND_DIGITS - 1, minor_per_major, "outstanding"),
            _minor(overdue, OVERDUE_BAND_DIGITS - 1, minor_per_major, "overdue"),
            minor_per_major,
        )

    def outstanding_band(self, amount: int) -> int:
        """0 .. 5 for an amount in minor units."""
        return bisect_right(self.outstanding, amount)

    def overdue_band(self, amount: int) -> int | None:
        """0 .. 4 for an amount in minor units; None where nothing is overdue."""
        return bisect_right(self.overdue, amount) if amount else None

    def outstanding_range(self, band: int) -> tuple[int, int]:
        """The smallest and the largest amount of a band 0 .. 5, in minor units."""
        low = self.outstanding[band - 1] if band else 0
        high = self.outstanding[band] - 1 if band < len(self.outstanding) else MAX_AMOUNT
        return low, high

    def outstanding_labels(self) -> tuple[str, ...]:
        """The six bands' names in reports: the upper edge in major units, or "above"."""
        return self._labels(self.outstanding)

    def overdue_labels(self) -> tuple[str, ...]:
        """The five bands' names, likewise."""
        return self._labels(self.overdue)

    def _labels(self, edges: tuple[int, ...]) -> tuple[str, ...]:
        return (*(str(edge // self.minor_per_major) for edge in edges), ABOVE)


def _minor(edges: Sequence[int], count: int, minor_per_major: int, path: str) -> tuple[int, ...]:
    if len(edges) != count:
        raise InvalidInput("BAD_LENGTH", f"must be {count} edges", path)
    minor = tuple(edge * minor_per_major for edge in edges)
    for place, (lower, edge) in enumerate(zip((0, *minor), minor, strict=False)):
        if not lower < edge <= MAX_AMOUNT:
            raise InvalidInput("OUT_OF_RANGE", "edges must ascend from above 0 and stay in range", f"{path}[{place}]")
    return minor
