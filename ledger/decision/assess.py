"""The decision: all rules, the strongest effect, and how much more could be lent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ledger.decision.facts import Application, Facts, NewLoan
from ledger.decision.policy import DecisionPolicy
from ledger.decision.reason import Effect, Reason
from ledger.decision.rules import OF_AMOUNTS, RULES

ENGINE = 1
"""The version of the rules. A record names it; rules that decide otherwise get another number."""


class Outcome(StrEnum):
    """What the lender's system should do."""

    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"


_OUTCOMES = {Effect.DECLINE: Outcome.DECLINE, Effect.REVIEW: Outcome.REVIEW}


@dataclass(frozen=True, slots=True)
class Assessment:
    """outcome: with reasons in the rules' order. held: an open dispute has turned a decline into a review.

    headroom: the largest loan on the same terms (the policy's term where none are told) that would be approved, minor
    units; 0 where something stands against any loan; None where it cannot be told.
    """

    outcome: Outcome
    reasons: tuple[Reason, ...]
    held: bool
    headroom: int | None


def assess(facts: Facts, application: Application, policy: DecisionPolicy) -> Assessment:
    """The same for the same, always."""
    reasons = tuple(reason for rule in RULES for reason in rule(facts, application, policy))
    effects = {reason.effect for reason in reasons}
    outcome = next((_OUTCOMES[effect] for effect in (Effect.DECLINE, Effect.REVIEW) if effect in effects), None)
    # Whoever disputes a figure must not be turned away by a machine because of it.
    held = outcome is Outcome.DECLINE and facts.disputes > 0
    return Assessment(
        Outcome.REVIEW if held else outcome or Outcome.APPROVE, reasons, held, headroom(facts, application, policy)
    )


def headroom(facts: Facts, application: Application, policy: DecisionPolicy) -> int | None:
    """The largest principal whose amounts stay within what is approved without a person, and whose due is in the same
    proportion to it as the proposed loan's."""
    if facts.amounts is None or application.income is None:
        return None
    terms = application.loan
    if terms is None or not terms.principal:
        terms = NewLoan(policy.term_months, 1)
    # Reasons that no amount takes away; the smallest loan counts this lender in.
    smallest = Application(application.income, NewLoan(0, 0))
    others = (reason for rule in RULES for reason in rule(facts, smallest, policy) if reason.code not in OF_AMOUNTS)
    if any(reason.effect is not Effect.NOTE for reason in others):
        return 0
    income, amounts = application.income, facts.amounts
    room = min(
        policy.debt.review_above * income // 100 - amounts.outstanding,
        policy.minor(policy.cap.review_above) - amounts.outstanding,
    )
    if terms.monthly_due:
        # floor(due * P / p) <= slack  <=>  P < (slack + 1) * p / due; the due is rounded up, as lenders do: <= slack.
        slack = policy.service.review_above * income // 100 - amounts.monthly_due
        room = min(room, slack * terms.principal // terms.monthly_due)
    return max(0, room)
