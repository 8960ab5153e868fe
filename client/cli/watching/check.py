"""plimsoll watch check: one borrower on the list, now."""

from __future__ import annotations

from typing import Annotated

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer
from client.cli.question import BORROWER, identity


def check(context: typer.Context, borrower: Annotated[str, BORROWER]) -> None:
    """Ask about a borrower on the list now, and show what has changed since the last answer."""
    from client.watching import checked_view, event_facts, watch_facts

    settings = settings_of(context)
    with connect(settings, "lender") as session:
        done = session.check_watched(identity(borrower))
    facts = {"watch": watch_facts(done.watch), "events": [event_facts(event) for event in done.events]}
    answer(facts, lambda: checked_view(done.watch, done.events), as_json=settings.json)
