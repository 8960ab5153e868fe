"""The rules, one function each: what is found against what the policy allows (docs/decisions.md has them as a table).

Ratios are compared without rounding; the figure that is told is rounded up to the next thousandth, so that what is
above a limit also looks so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ledger.decision.facts import Application, Facts
from ledger.decision.policy import DecisionPolicy, Limits
from ledger.decision.reason import Effect, Reason, Unit

Rule = Callable[[Facts, Application, DecisionPolicy], Iterator[Reason]]


def service_to_income(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """Everything due each month, this loan's share included, by a month's income."""
    if facts.amounts is None or application.income is None:
        return
    due = facts.amounts.monthly_due + (application.loan.monthly_due if application.loan else 0)
    yield from _ratio("SERVICE_TO_INCOME", due, application.income, policy.service)


def debt_to_income(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """Everything outstanding, this loan included, by a month's income; the least it can be where it is withheld."""
    if application.income is None:
        return
    yield from _ratio("DEBT_TO_INCOME", _owed(facts, application), application.income, policy.debt)


def borrower_cap(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """Everything outstanding, this loan included, against the cap for one borrower."""
    owed = _owed(facts, application)
    yield from _above(
        "BORROWER_CAP",
        owed,
        Limits(policy.minor(policy.cap.review_above), policy.minor(policy.cap.decline_above)),
        Unit.MINOR,
        Unit.MINOR,
    )


def number_of_lenders(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """Lenders with an open loan, this one included if it would become one."""
    joins = application.loan is not None and not facts.includes_own
    yield from _above("LENDERS", facts.lenders + joins, policy.lenders, Unit.COUNT, Unit.COUNT)


def worst_class(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """The worst class that any lender has the borrower in."""
    found, limits = facts.worst_class, policy.worst_class
    if found is None or found < limits.review_from:
        return
    declined = found >= limits.decline_from
    threshold = limits.decline_from if declined else limits.review_from
    yield Reason("WORST_CLASS", Effect.DECLINE if declined else Effect.REVIEW, Unit.CLASS, found, int(threshold))


def overdue(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """What some lender has overdue at least. Anything overdue is above a limit of 0."""
    if facts.worst_overdue is None:
        return
    limits = Limits(policy.minor(policy.overdue.review_above), policy.minor(policy.overdue.decline_above))
    least = max(1, facts.worst_overdue)
    for effect, limit in ((Effect.DECLINE, limits.decline_above), (Effect.REVIEW, limits.review_above)):
        # A band begins where the one below ends: one that begins at the limit lies above it.
        if least > limit or (limit and least == limit):
            yield Reason("OVERDUE", effect, Unit.MINOR, least, limit)
            return


def inquiries(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """How often others asked before a loan of late, and whether that is rising."""
    now, before = facts.inquiries_30, facts.inquiries_90 - facts.inquiries_30
    yield from _above("INQUIRIES", now, policy.inquiries, Unit.COUNT, Unit.COUNT)
    if now >= policy.rise_from and 2 * 100 * now > policy.rise_percent * before:
        yield Reason("INQUIRIES_RISING", Effect.REVIEW, Unit.COUNT, now, before)


def rolling_debt(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """Months in which old debt seems to have been paid with new."""
    if facts.rolling is not None:
        yield from _above("ROLLING_DEBT", facts.rolling, policy.rolling, Unit.MONTHS, Unit.MONTHS)


def not_known(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """What had to be known and is not."""
    if application.income is None:
        yield Reason("INCOME_UNKNOWN", Effect.REVIEW)
    if facts.amounts is None:
        yield Reason("AMOUNTS_WITHHELD", Effect.REVIEW)


def data(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """Lenders of whom the answer knows nothing, or nothing new."""
    if facts.excluded:
        count = len(facts.excluded)
        yield Reason("LENDERS_LEFT_OUT", Effect.REVIEW, Unit.COUNT, count, 0, members=facts.excluded)
    if facts.stale:
        effect = Effect.REVIEW if policy.stale_review else Effect.NOTE
        yield Reason("STALE_DATA", effect, Unit.COUNT, len(facts.stale), 0, members=facts.stale)


def disputes(facts: Facts, application: Application, policy: DecisionPolicy) -> Iterator[Reason]:
    """The borrower says that something is wrong with the figures. See `assess` for what that does."""
    if facts.disputes:
        yield Reason("OPEN_DISPUTE", Effect.NOTE, Unit.COUNT, facts.disputes, 0)


RULES: tuple[Rule, ...] = (
    service_to_income,
    debt_to_income,
    borrower_cap,
    number_of_lenders,
    worst_class,
    overdue,
    inquiries,
    rolling_debt,
    not_known,
    data,
    disputes,
)

#: Codes of reasons that a smaller loan alone can take away.
OF_AMOUNTS = frozenset({"SERVICE_TO_INCOME", "DEBT_TO_INCOME", "BORROWER_CAP"})


def _owed(facts: Facts, application: Application) -> int:
    return facts.outstanding_bounds[0] + (application.loan.principal if application.loan else 0)


def _ratio(code: str, part: int, income: int, limits: Limits) -> Iterator[Reason]:
    for effect, percent in ((Effect.DECLINE, limits.decline_above), (Effect.REVIEW, limits.review_above)):
        if 100 * part > percent * income:
            figure = -(-1000 * part // max(income, 1))
            allowed = percent * income // 100
            yield Reason(code, effect, Unit.PERMILLE, figure, 10 * percent, part - allowed, Unit.MINOR)
            return


def _above(code: str, figure: int, limits: Limits, unit: Unit, change: Unit) -> Iterator[Reason]:
    for effect, limit in ((Effect.DECLINE, limits.decline_above), (Effect.REVIEW, limits.review_above)):
        if figure > limit:
            yield Reason(code, effect, unit, figure, limit, figure - limit, change)
            return
