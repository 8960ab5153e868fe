"""plimsoll watch remove: a borrower off the list."""

from __future__ import annotations

from typing import Annotated

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer
from client.cli.question import BORROWER, identity


def remove(context: typer.Context, borrower: Annotated[str, BORROWER]) -> None:
    """Watch a borrower no longer, from now on: the loan is repaid, or the consent withdrawn."""
    from client.watching import watch_facts, watches_view

    settings = settings_of(context)
    with connect(settings, "lender") as session:
        watch = session.unwatch_borrower(identity(borrower))
    answer(watch_facts(watch), lambda: watches_view([watch]), as_json=settings.json)
