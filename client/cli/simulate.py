"""plimsoll simulate: what if? From a decision's record, asking nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.cli.assess import INCOME, LANGUAGE, POLICY, Language
from client.cli.options import settings_of
from client.cli.output import answer


def simulate(
    context: typer.Context,
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="A file that `assess --record` wrote.")],
    case: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CASE",
            help='What if, e.g. "consolidation: loan=500000/20000 repay=500000/150000 close=2"; may be repeated. '
            "Amounts are principal/monthly due, minor units; close: lenders that have no loan then.",
            show_default=False,
        ),
    ] = None,
    income: Annotated[int | None, INCOME] = None,
    policy: Annotated[Path | None, POLICY] = None,
    language: Annotated[Language, LANGUAGE] = Language.ENGLISH,
) -> None:
    """Compare what would be decided with this loan, this repayment or this consolidation, side by side.

    Works from the sums in a record, at once and without a new inquiry. The first column is the borrower as he is,
    without a loan; the second, where the record is about one, that loan.
    """
    from client.decisions import parse_case, scenario_facts, scenarios_view
    from ledger.decision import Change, parse_decision_policy, parse_record, play

    read = parse_record(record.read_bytes())
    changes = [Change("as it is")]
    if read.application.loan is not None:
        changes.append(Change("as asked", read.application.loan))
    changes += [parse_case(text) for text in case or ()]
    by = read.policy if policy is None else parse_decision_policy(policy.read_bytes())
    scenarios = play(read.facts, read.application.income if income is None else income, changes, by)
    facts = {"record": read.id.hex(), "scenarios": [scenario_facts(each, by) for each in scenarios]}
    answer(facts, lambda: scenarios_view(scenarios, by, language), as_json=settings_of(context).json)
