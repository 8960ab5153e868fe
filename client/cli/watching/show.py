"""plimsoll watch list: who is watched, and how that goes."""

from __future__ import annotations

from typing import Annotated

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer

ALL = typer.Option("--all", help="Those that have ended, too.")


def show(context: typer.Context, everything: Annotated[bool, ALL] = False) -> None:
    """Show the watch list."""
    from client.watching import watch_facts, watches_view

    settings = settings_of(context)
    with connect(settings, "lender") as session:
        watches = list(session.watched(ended=everything))
    facts = {"watches": [watch_facts(watch) for watch in watches]}
    answer(facts, lambda: watches_view(watches), as_json=settings.json)
