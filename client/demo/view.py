"""The demo's answer as a table: what every lender sees alone, and what they see together."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from client import render
from client.demo.show import Outcome

_NOT_TOLD = "-"


def view(outcome: Outcome, seconds: float) -> RenderableType:
    """The table and what it means."""
    case, together = outcome.case, outcome.together
    title, share = f"{case.borrower}, in {case.currency}", []
    if case.monthly_income is not None:
        title += f"; monthly income {render.amount(case.monthly_income, case.minor_per_major)}"
        share = [">of income"]
    table = render.table(title, "who looks", ">loans", ">outstanding", *share, ">due monthly", *share)
    for one in outcome.alone:
        render.row(table, one.member, *_cells(outcome, one.accounts, one.outstanding, one.monthly_due))
    table.add_section()
    amounts = together.amounts if together.HasField("amounts") else None
    figures = (None, None) if amounts is None else (amounts.outstanding, amounts.monthly_due)
    render.row(table, "all, by Plimsoll", *_cells(outcome, together.accounts, *figures), style="bold")
    parts: list[RenderableType] = [table]
    if amounts is None:
        parts.append(Text(f"The sums are withheld ({together.withheld}); classes and bands are not.", "yellow"))
    published = sum(summary.published for summary in outcome.summaries.values())
    parts.append(Text(f"{len(outcome.lenders)} lenders, {published:,} encrypted positions, {seconds:.1f} s."))
    parts.append(Text("No lender has seen another's record."))
    return Group(*parts)


def _cells(outcome: Outcome, accounts: int, outstanding: int | None, monthly_due: int | None) -> list[str]:
    cells = [str(accounts)]
    for figure in (outstanding, monthly_due):
        cells.append(_NOT_TOLD if figure is None else render.amount(figure, outcome.case.minor_per_major))
        if outcome.case.monthly_income is not None:
            cells.append(_NOT_TOLD if figure is None else f"{round(100 * figure / outcome.case.monthly_income)} %")
    return cells
