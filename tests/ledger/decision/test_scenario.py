"""What if: changes side by side."""

from __future__ import annotations

import pytest

from ledger.decision import Change, NewLoan, Outcome, play
from ledger.errors import InvalidInput, Unready
from tests.ledger.decision.samples import INCOME, POLICY, facts

HEAVY = facts(20_000_00, 4_500_00, 4)


def outcomes(*changes, of=HEAVY):
    return [each.assessment.outcome for each in play(of, INCOME, changes, POLICY)]


def test_a_consolidation_can_do_what_a_loan_alone_cannot():
    loan = NewLoan(5_000_00, 200_00)
    pays_back = Change("consolidation", loan, NewLoan(5_000_00, 1_500_00), closed=2, accounts=2)
    assert outcomes(Change("as it is"), Change("a loan", loan), pays_back) == [
        Outcome.REVIEW,
        Outcome.REVIEW,
        Outcome.APPROVE,
    ]


def test_repaying_leaves_the_rest():
    [then] = play(HEAVY, INCOME, [Change("repaid", repaid=NewLoan(20_000_00, 4_500_00), closed=4)], POLICY)
    sums = then.facts.amounts
    assert sums is not None
    assert (sums.outstanding, sums.monthly_due, then.facts.lenders) == (0, 0, 0)
    assert then.assessment.outcome is Outcome.APPROVE


@pytest.mark.parametrize(
    "change",
    [
        Change("x", repaid=NewLoan(20_000_01, 0)),
        Change("x", repaid=NewLoan(0, 4_500_01)),
        Change("x", closed=5),
        Change("x", accounts=5),
    ],
)
def test_nobody_can_repay_more_than_there_is(change):
    with pytest.raises(InvalidInput) as refused:
        play(HEAVY, INCOME, [change], POLICY)
    assert refused.value.path == "x"


def test_nothing_is_taken_off_sums_that_are_not_known():
    with pytest.raises(Unready) as refused:
        play(facts(None), INCOME, [Change("x", repaid=NewLoan(1, 0))], POLICY)
    assert refused.value.reason == "AMOUNTS_WITHHELD"
    assert outcomes(Change("x", NewLoan(1, 1)), of=facts(None)) == [Outcome.REVIEW]
