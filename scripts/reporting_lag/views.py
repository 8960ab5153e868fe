"""What a lender sees of a borrower at a moment: its own loans as they are, the others' as late as they reach it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ledger.consortium.policy import Policy
from ledger.decision import Amounts, Facts
from ledger.decision.facts import Band
from ledger.positions.bands import Bands
from ledger.positions.classification import Classification
from scripts.reporting_lag.population import Borrower

When = Callable[[int, float], float]
"""(lender, day) -> the day as of which that lender's loans are known then."""

_POLICY = Policy()
_BANDS = Bands.from_major(_POLICY.bands, _POLICY.overdue_bands, 100)
_RANGES = [_BANDS.outstanding_range(place) for place in range(len(_POLICY.bands) + 1)]


@dataclass(frozen=True, slots=True)
class Reports:
    """Every lender reports its whole book every `cycle` days, each on a day of its own; it is known `after` days later.

    What is known is thus `after` to `after + cycle` days old, `after + cycle / 2` on average.
    """

    cycle: float
    after: float
    lenders: int

    @classmethod
    def late(cls, days: float, lenders: int) -> Reports:
        """So late on average: a sixth of it in processing, the rest between reports. 18 days: monthly and 3."""
        return cls(days * 5 / 3, days / 6, lenders)

    def __call__(self, lender: int, day: float) -> float:
        phase = self.cycle * lender / self.lenders
        return phase + self.cycle * ((day - self.after - phase) // self.cycle) if self.cycle else day - self.after


def truth(lender: int, day: float) -> float:
    """As it is."""
    return day


def seen(borrower: Borrower, asker: int, day: float, when: When, *, private: bool) -> Facts:
    """What `asker` knows of a borrower. private: sums are given by Plimsoll's release rule alone."""
    positions: dict[int, list[int]] = {}
    for loan in borrower.loans:
        at = day if loan.lender == asker else when(loan.lender, day)
        if loan.start <= at < loan.end:
            found = positions.setdefault(loan.lender, [0, 0, 0, 0])
            found[0] += loan.outstanding(at)
            found[1] += loan.monthly_due
            found[2] = max(found[2], loan.classification(at))
            found[3] += 1
    owed = [found[0] for found in positions.values()]
    classes = [0] * len(Classification)
    for found in positions.values():
        classes[found[2]] += 1
    others = len(positions.keys() - {asker})
    told = not private or not others or others >= _POLICY.min_contributors
    sums = Amounts(sum(owed), sum(owed), sum(found[1] for found in positions.values()))
    return Facts(
        sums if told else None,
        "" if told else "FEW_CONTRIBUTORS",
        len(positions),
        sum(found[3] for found in positions.values()),
        asker in positions,
        tuple(classes),
        _counted(owed),
        (),
    )


def _counted(owed: list[int]) -> tuple[Band, ...]:
    counts = [0] * len(_RANGES)
    for each in owed:
        counts[_BANDS.outstanding_band(each)] += 1
    return tuple(Band(low, high, count) for (low, high), count in zip(_RANGES, counts, strict=True))
