"""The group `audit`: which commands an auditor has."""

from __future__ import annotations

import typer

from client.cli.auditing.acknowledge import acknowledge
from client.cli.auditing.export_tiles import export_tiles
from client.cli.auditing.keys import keys
from client.cli.auditing.policy import policy
from client.cli.auditing.run import run
from client.cli.auditing.verify_exposure import verify_exposure
from client.cli.auditing.verify_opening import verify_opening
from client.cli.options import ConnectedCommand, JsonCommand, SharedGroup

app = typer.Typer(
    name="audit", cls=SharedGroup, help="Check what members hold, trusting none of them.", rich_markup_mode=None
)


@app.callback()
def _group() -> None:
    """Check what members hold, trusting none of them."""


app.command("run", cls=ConnectedCommand)(run)
app.command("acknowledge", cls=JsonCommand)(acknowledge)
app.command("verify-exposure", cls=ConnectedCommand)(verify_exposure)
app.command("verify-opening", cls=ConnectedCommand)(verify_opening)
app.command("export-tiles", cls=ConnectedCommand)(export_tiles)
app.command("keys", cls=ConnectedCommand)(keys)
app.command("policy", cls=ConnectedCommand)(policy)
