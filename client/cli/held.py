"""plimsoll held: feeds that were kept back, because they would change more than a day's business does."""

from __future__ import annotations

from typing import Annotated

import typer

from client.cli.connect import connect
from client.cli.options import ConnectedCommand, SharedGroup, settings_of
from client.cli.output import answer
from client.cli.report import followed

app = typer.Typer(
    name="held", cls=SharedGroup, help="Look at feeds that are kept back, and decide on them.", rich_markup_mode=None
)

FEED = typer.Argument(metavar="ID", help="As `held list` shows it.")


@app.callback()
def _group() -> None:
    """Look at feeds that are kept back, and decide on them."""


def show(context: typer.Context) -> None:
    """Show what is kept back, why, and what it would change."""
    from client import plain, render

    settings = settings_of(context)
    with connect(settings, "operator") as session:
        feeds = session.held_feeds()
    answer({"feeds": [plain.plain(feed) for feed in feeds]}, lambda: render.held_feeds(feeds), as_json=settings.json)


def release(context: typer.Context, feed: Annotated[str, FEED]) -> None:
    """Let a feed pass. Its sender cannot: another person does, by an operator's certificate of another name."""
    from plimsoll.v1 import lender_pb2

    from client import plain, render

    settings = settings_of(context)
    summary = lender_pb2.ReportSummary()
    with connect(settings, "operator") as session:
        for response in followed(session.release_feed(feed)):
            if response.HasField("summary"):
                summary.CopyFrom(response.summary)
    answer(plain.plain(summary), lambda: render.summary(summary), as_json=settings.json)


def discard(context: typer.Context, feed: Annotated[str, FEED]) -> None:
    """Throw a feed away."""
    from rich.text import Text

    settings = settings_of(context)
    with connect(settings, "operator") as session:
        session.discard_feed(feed)
    answer({"discarded": feed}, lambda: Text(f"thrown away: {feed}"), as_json=settings.json)


app.command("list", cls=ConnectedCommand)(show)
app.command("release", cls=ConnectedCommand)(release)
app.command("discard", cls=ConnectedCommand)(discard)
