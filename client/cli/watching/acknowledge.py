"""plimsoll watch acknowledge: an event has been dealt with."""

from __future__ import annotations

from typing import Annotated

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer

EVENT = typer.Argument(metavar="ID", help="As `watch events` shows it, or its number alone.")


def acknowledge(context: typer.Context, event: Annotated[str, EVENT]) -> None:
    """Say that an event has been dealt with; it keeps your certificate's name."""
    from client.watching import event_facts, events_view

    settings = settings_of(context)
    with connect(settings, "lender") as session:
        done = session.acknowledge_event(event)
    answer(event_facts(done), lambda: events_view([done]), as_json=settings.json)
