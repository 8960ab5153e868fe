"""plimsoll watch events: what watching has found, once or as it comes."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer, line

#: Seconds between two looks.
PAUSE = 1.0

FOLLOW = typer.Option("--follow", help="Go on with what comes, until Ctrl-C. JSON is one event a line.")
ALL = typer.Option("--all", help="Those that have been acknowledged, too.")


def events(
    context: typer.Context, follow: Annotated[bool, FOLLOW] = False, everything: Annotated[bool, ALL] = False
) -> None:
    """Show what has changed about borrowers on the list and nobody has acknowledged yet."""
    from client.watching import event_facts, event_line, events_view, follow_events

    settings = settings_of(context)
    if not follow:
        with connect(settings, "lender") as session:
            found = list(session.events(acknowledged=everything))
        facts = {"events": [event_facts(event) for event in found]}
        answer(facts, lambda: events_view(found), as_json=settings.json)
        return
    with connect(settings, "lender") as session:
        for event in follow_events(session, everything, lambda: time.sleep(PAUSE)):
            if settings.json:
                line(event_facts(event))
            else:
                sys.stdout.write(event_line(event) + "\n")
                sys.stdout.flush()
