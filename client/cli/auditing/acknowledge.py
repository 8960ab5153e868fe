"""plimsoll audit acknowledge: findings that have been dealt with."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from client.cli.failure import UsageError
from client.cli.options import settings_of
from client.cli.output import answer, write_over


def acknowledge(
    context: typer.Context,
    state: Annotated[Path, typer.Option(metavar="FILE", help="The state of the audits that found them.")],
    number: Annotated[list[str] | None, typer.Argument(metavar="NUMBER", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Say that findings have been dealt with, so that they no longer make the verdict bad.

    One that is still found is told as acknowledged; one that is gone and comes back is a new one.
    """
    from client.audit.keeping.keeping import Keeping

    if bool(number) == everything:
        raise UsageError("give the numbers of findings, or --all")
    chosen = Keeping(state, write_over).acknowledge(number or None, int(time.time()))
    facts: dict[str, Any] = {"acknowledged": [known.facts() for known in chosen]}

    def view() -> Any:
        from client import render

        table = render.table("Acknowledged", "number", "member", ">entry", "reason", "message")
        for known in chosen:
            found = known.finding
            render.row(
                table,
                known.id,
                found.member,
                "-" if found.index is None else str(found.index),
                found.reason,
                found.message,
            )
        return table

    answer(facts, view, as_json=settings_of(context).json)
