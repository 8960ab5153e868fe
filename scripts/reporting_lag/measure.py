"""Decisions by what is known, held against decisions by the truth, under one and the same policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ledger.decision import Application, DecisionPolicy, Facts, Outcome, assess
from scripts.reporting_lag.population import DAYS, MONTH, Borrower
from scripts.reporting_lag.views import When, seen, truth

#: A debt load is misjudged where it is off by more than so many percent of what it is.
OFF_BY = 10
#: A borrower of so many lenders at once borrows on many platforms.
MANY = 3
WARM_UP = 180.0
POLICY = DecisionPolicy()


@dataclass(slots=True)
class Counts:
    """Of all reviews. misjudged: the debt load is off, or its worst class another; where no sum is told (`withheld`, by
    the release rule), the bands do not hold it. many: who asks for a loan and has open ones at many lenders;
    recognized: of these, seen as such. wrong: another outcome than by the truth, but for a person's review where no
    sum is told. sound: not to be declined by the truth; frozen: of these, declined.
    """

    reviews: int = 0
    misjudged: int = 0
    withheld: int = 0
    many: int = 0
    recognized: int = 0
    wrong: int = 0
    sound: int = 0
    frozen: int = 0

    def share(self, name: str) -> float:
        """misjudged and wrong of all reviews; recognized of many; frozen of the sound ones."""
        of = {"recognized": self.many, "frozen": self.sound}.get(name, self.reviews)
        return getattr(self, name) / of if of else 0.0


def measure(borrowers: Iterable[Borrower], when: When, *, private: bool) -> Counts:
    """Every lender looks at each of its borrowers once a month, and at whoever asks for a loan."""
    counts = Counts()
    for borrower in borrowers:
        for asker, day, applies in _reviews(borrower):
            known = seen(borrower, asker, day, when, private=private)
            true = seen(borrower, asker, day, truth, private=False)
            _count(counts, borrower, known, true)
            if applies and true.lenders >= MANY:
                counts.many += 1
                counts.recognized += known.lenders >= MANY
    return counts


def _reviews(borrower: Borrower) -> Iterator[tuple[int, float, bool]]:
    """Who looks, when, and whether it is because the borrower asks for a loan."""
    for loan in borrower.loans:
        day = loan.start - 0.01  # just before it is granted
        applies = True
        while day < min(loan.end, DAYS):
            if day >= WARM_UP:
                yield loan.lender, day, applies
            day, applies = day + MONTH, False


def _count(counts: Counts, borrower: Borrower, known: Facts, true: Facts) -> None:
    counts.reviews += 1
    counts.withheld += known.amounts is None
    counts.misjudged += _is_off(known, true)
    application = Application(borrower.income)
    right, found = (assess(facts, application, POLICY).outcome for facts in (true, known))
    # Where sums are withheld a person decides, which is not wrong.
    counts.wrong += found is not right and not (found is Outcome.REVIEW and known.amounts is None)
    if right is not Outcome.DECLINE:
        counts.sound += 1
        counts.frozen += found is Outcome.DECLINE


def _is_off(known: Facts, true: Facts) -> bool:
    if known.worst_class != true.worst_class:
        return True
    assert true.amounts is not None, "the truth"
    owed = true.amounts.outstanding
    if known.amounts is None:
        low, high = known.outstanding_bounds
        return owed < low or (high is not None and owed > high)
    return abs(known.amounts.outstanding - owed) * 100 > OFF_BY * owed
