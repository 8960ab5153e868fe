"""plimsoll watch: one's own borrowers after a loan, with their consent. One file a command."""

from __future__ import annotations

import typer

from client.cli.options import ConnectedCommand, SharedGroup
from client.cli.watching.acknowledge import acknowledge
from client.cli.watching.add import add
from client.cli.watching.check import check
from client.cli.watching.events import events
from client.cli.watching.remove import remove
from client.cli.watching.show import show

app = typer.Typer(
    name="watch",
    cls=SharedGroup,
    help="Watch one's own borrowers after a loan, with their consent.",
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Watch one's own borrowers after a loan, with their consent."""


app.command("add", cls=ConnectedCommand)(add)
app.command("list", cls=ConnectedCommand)(show)
app.command("check", cls=ConnectedCommand)(check)
app.command("remove", cls=ConnectedCommand)(remove)
app.command("events", cls=ConnectedCommand)(events)
app.command("acknowledge", cls=ConnectedCommand)(acknowledge)

__all__ = ["app"]
