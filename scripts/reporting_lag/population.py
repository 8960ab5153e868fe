"""Borrowers and their loans over two years, out of a seed. All that is assumed stands here, and in docs/gain.md.

Amounts are minor units, times are days.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.positions.classification import Classification

DAYS = 730
MONTH = 30.0


@dataclass(frozen=True, slots=True)
class Assumptions:
    """lenders: of the market. restless: share of borrowers who take loans in bursts, one after the other at several
    lenders. bursts, quiet: bursts and single loans a year, of a restless and of any other borrower. more: chance of one
    more loan in a burst; gap: mean days to it. income: median a month, and sigma of its logarithm. size: a loan's
    principal in months of income. terms: months. rate: a year. early: chance that a loan is repaid at once, some time
    before its end. late: chance a year of falling behind with one loan, for `behind` days.
    """

    lenders: int = 20
    restless: float = 0.35
    bursts: float = 1.5
    quiet: float = 0.9
    more: float = 0.75
    gap: float = 6.0
    income: tuple[float, float] = (8_000_00.0, 0.45)
    size: tuple[float, float] = (0.25, 1.1)
    terms: tuple[int, ...] = (6, 9, 12, 12, 18)
    rate: float = 0.18
    early: float = 0.35
    late: float = 0.12
    behind: tuple[float, float] = (12.0, 60.0)


@dataclass(frozen=True, slots=True)
class Loan:
    """From `start` to `end` days; equal payments, one a month. behind: from when to when it is overdue, if ever."""

    lender: int
    start: float
    end: float
    principal: int
    monthly_due: int
    term: int
    behind: tuple[float, float] | None

    def outstanding(self, day: float) -> int:
        """Principal left."""
        if not self.start <= day < self.end:
            return 0
        paid = min(self.term, int((day - self.start) / MONTH))
        return self.principal * (self.term - paid) // self.term

    def classification(self, day: float) -> Classification:
        """By the days behind: special-mention at once, substandard from 30 days on."""
        if self.behind is None or not self.behind[0] <= day < self.behind[1]:
            return Classification.PASS
        return Classification.SUBSTANDARD if day - self.behind[0] >= MONTH else Classification.SPECIAL_MENTION


@dataclass(frozen=True, slots=True)
class Borrower:
    """income: a month."""

    income: int
    loans: tuple[Loan, ...]


def population(count: int, seed: int, assumed: Assumptions) -> Iterator[Borrower]:
    """So many borrowers."""
    rng = random.Random(seed)
    for _ in range(count):
        income = round(assumed.income[0] * rng.lognormvariate(0, assumed.income[1]))
        restless = rng.random() < assumed.restless
        loans = [_loan(rng, assumed, income, day) for day in _begins(rng, assumed, restless)]
        yield Borrower(income, tuple(loans))


def _begins(rng: random.Random, assumed: Assumptions, restless: bool) -> Iterator[float]:
    """When loans are taken; the first half year is there for the world to fill."""
    rate = (assumed.bursts if restless else assumed.quiet) / 365
    day = rng.expovariate(rate)
    while day < DAYS:
        yield day
        at = day
        while restless and rng.random() < assumed.more:
            at += rng.expovariate(1 / assumed.gap)
            yield at
        day = max(day, at) + rng.expovariate(rate)


def _loan(rng: random.Random, assumed: Assumptions, income: int, start: float) -> Loan:
    term = rng.choice(assumed.terms)
    principal = round(income * rng.uniform(*assumed.size))
    monthly_due = round(principal * (1 + assumed.rate * term / 24) / term)  # interest on the mean balance
    end = start + term * MONTH
    if rng.random() < assumed.early:
        end = rng.uniform(start + MONTH / 2, end)
    behind = None
    if rng.random() < assumed.late * (end - start) / 365:
        begins = rng.uniform(start + MONTH, max(start + MONTH, end))
        lasts = rng.uniform(*assumed.behind)
        behind = (begins, begins + lasts)
        end = max(end, begins + lasts)
    return Loan(rng.randrange(assumed.lenders), start, end, principal, monthly_due, term, behind)
