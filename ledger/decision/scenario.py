"""What if: this loan, this repayment, this consolidation? Worked out from a report that was fetched, asking nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ledger.decision.assess import Assessment, assess
from ledger.decision.facts import Application, Facts, NewLoan
from ledger.decision.policy import DecisionPolicy
from ledger.errors import InvalidInput, Unready
from ledger.queries.exposure import Amounts


@dataclass(frozen=True, slots=True)
class Change:
    """loan: a new loan of this lender. repaid: what is paid back, and how much less is due each month then, as a loan
    with a minus. closed: how many lenders have no open loan afterwards; accounts: how many accounts are closed.

    A consolidation is a loan and what it repays.
    """

    name: str
    loan: NewLoan | None = None
    repaid: NewLoan = field(default_factory=lambda: NewLoan(0, 0))
    closed: int = 0
    accounts: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """How things would stand with a change."""

    change: Change
    facts: Facts
    application: Application
    assessment: Assessment


def play(facts: Facts, income: int | None, changes: Sequence[Change], policy: DecisionPolicy) -> tuple[Scenario, ...]:
    """Each change for itself, side by side; the first is usually none at all.

    Raises Unready (AMOUNTS_WITHHELD) where a change of sums is asked for that are not known; InvalidInput where more is
    repaid or closed than there is.
    """
    found = []
    for change in changes:
        application = Application(income, change.loan)
        then = _after(facts, change)
        found.append(Scenario(change, then, application, assess(then, application, policy)))
    return tuple(found)


def _after(facts: Facts, change: Change) -> Facts:
    """Without the new loan, which the rules add themselves."""
    repaid = change.repaid
    if facts.amounts is None and (repaid.principal or repaid.monthly_due):
        raise Unready("AMOUNTS_WITHHELD", "the sums are not known, so nothing can be taken off them", change.name)
    if change.closed > facts.lenders or change.accounts > facts.accounts:
        raise InvalidInput("OUT_OF_RANGE", "more would be closed than there is", change.name)
    amounts = facts.amounts
    if amounts is not None:
        if repaid.principal > amounts.outstanding or repaid.monthly_due > amounts.monthly_due:
            raise InvalidInput("OUT_OF_RANGE", "more would be repaid than there is", change.name)
        amounts = Amounts(
            amounts.credit_limit, amounts.outstanding - repaid.principal, amounts.monthly_due - repaid.monthly_due
        )
    return replace(
        facts, amounts=amounts, lenders=facts.lenders - change.closed, accounts=facts.accounts - change.accounts
    )
