"""Decisions and scenarios for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from client.render import amount, pairs, row, table
from ledger.decision import Amounts, Change, DecisionPolicy, NewLoan, Outcome, Scenario, parse_record
from ledger.decision.record import result_facts
from ledger.decision.texts import change as remedy
from ledger.decision.texts import what
from ledger.errors import InvalidInput
from ledger.strict import parse_decimal

_STYLES = {Outcome.APPROVE: "green", Outcome.REVIEW: "yellow", Outcome.DECLINE: "red"}


def assessment_view(raw: bytes, language: str) -> RenderableType:
    """A decision out of its record. Raises as `parse_record`."""
    record = parse_record(raw)
    done, policy = record.assessment(), record.policy
    held = " (an open dispute keeps it from being declined)" if done.held else ""
    parts: list[RenderableType] = [Text(f"{done.outcome}{held}", f"bold {_STYLES[done.outcome]}")]
    facts = [
        ("headroom", "cannot be told" if done.headroom is None else _money(done.headroom, policy)),
        ("policy", f"{policy.name}, version {policy.version} ({policy.id.hex()[:16]})"),
    ]
    if (sums := record.facts.amounts) is not None:
        facts += [("outstanding", _money(sums.outstanding, policy)), ("monthly due", _money(sums.monthly_due, policy))]
    else:
        facts.append(("amounts", f"withheld, {record.facts.withheld}"))
    facts.append(("lenders", str(record.facts.lenders)))
    parts.append(pairs(facts))
    for reason in done.reasons:
        members = f" ({', '.join(reason.members)})" if reason.members else ""
        parts.append(Text(f"\n{reason.effect}: {reason.code}{members}", "bold"))
        parts.append(Text(f"  {what(reason, language, policy)}\n  {remedy(reason, language, policy)}"))
    return Group(*parts)


def parse_case(text: str) -> Change:
    """One case as people type it: "name: loan=P/D repay=P/D close=N". Raises InvalidInput."""
    name, colon, rest = text.partition(":")
    if not name.strip() or not colon or not rest.strip():
        raise InvalidInput("BAD_CASE", 'a case is "name: loan=P/D repay=P/D close=N accounts=N"', "case")
    values: dict[str, str] = {}
    for part in rest.split():
        key, _, value = part.partition("=")
        if key not in ("loan", "repay", "close", "accounts") or key in values:
            raise InvalidInput("BAD_CASE", "a case has loan, repay, close and accounts, each once", f"case.{name}")
        values[key] = value
    return Change(
        name.strip(),
        _loan(values["loan"], f"{name}.loan") if "loan" in values else None,
        _loan(values.get("repay", "0/0"), f"{name}.repay"),
        parse_decimal(values.get("close", "0"), f"{name}.close"),
        parse_decimal(values.get("accounts", values.get("close", "0")), f"{name}.accounts"),
    )


def _loan(text: str, path: str) -> NewLoan:
    principal, _, due = text.partition("/")
    return NewLoan(parse_decimal(principal, path), parse_decimal(due, path))


def scenario_facts(scenario: Scenario, policy: DecisionPolicy) -> dict[str, Any]:
    """For programs. Sums are those with the new loan, null where they are withheld."""
    sums = _with_loan(scenario)
    return {
        "name": scenario.change.name,
        "outstanding": None if sums is None else sums.outstanding,
        "monthly_due": None if sums is None else sums.monthly_due,
        "lenders": scenario.facts.lenders,
        **result_facts(scenario.assessment, policy),
    }


def scenarios_view(scenarios: Sequence[Scenario], policy: DecisionPolicy, language: str) -> RenderableType:
    """Side by side, then the reasons of each."""
    made = table("What if", "", *(f">{each.change.name}" for each in scenarios))
    sums = [_with_loan(each) for each in scenarios]
    row(made, "outstanding", *("withheld" if each is None else _money(each.outstanding, policy) for each in sums))
    row(made, "monthly due", *("withheld" if each is None else _money(each.monthly_due, policy) for each in sums))
    row(made, "lenders", *(str(each.facts.lenders) for each in scenarios))
    rooms = [each.assessment.headroom for each in scenarios]
    row(made, "headroom", *("cannot be told" if each is None else _money(each, policy) for each in rooms))
    outcomes = [each.assessment.outcome for each in scenarios]
    made.add_row(Text("outcome"), *(Text(str(each), f"bold {_STYLES[each]}") for each in outcomes))
    parts: list[RenderableType] = [made]
    for each in scenarios:
        if each.assessment.reasons:
            parts.append(Text(f"\n{each.change.name}", "bold"))
        parts += [Text(f"  {reason.effect}: {what(reason, language, policy)}") for reason in each.assessment.reasons]
    return Group(*parts)


def _with_loan(scenario: Scenario) -> Amounts | None:
    sums, loan = scenario.facts.amounts, scenario.application.loan
    if sums is None or loan is None:
        return sums
    return Amounts(sums.credit_limit, sums.outstanding + loan.principal, sums.monthly_due + loan.monthly_due)


def _money(minor: int, policy: DecisionPolicy) -> str:
    return f"{amount(minor, policy.minor_per_major)} {policy.currency}"
