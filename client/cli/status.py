"""plimsoll status: how the node is."""

from __future__ import annotations

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer


def status(context: typer.Context) -> None:
    """Show the node: its keys, logs, lag, peers and disk."""
    from client import plain, render

    settings = settings_of(context)
    with connect(settings, "operator") as session:
        response = session.status()
    answer(plain.plain(response), lambda: render.status(response), as_json=settings.json)
