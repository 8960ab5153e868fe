"""plimsoll audit policy: which heads to trust, as a file for other tools (C2SP tlog-policy)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.cli.auditing.manifests import LineageOption, ThroughOption, manifests
from client.cli.options import settings_of
from client.cli.output import line


def policy(
    context: typer.Context,
    log: Annotated[
        str | None,
        typer.Option(metavar="LOG", help="For this log alone, whose author is then no witness.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where it goes.", show_default=False)
    ] = None,
    lineage: LineageOption = None,
    through: ThroughOption = None,
) -> None:
    """Print a policy by which others can tell a witnessed head: the logs, the witnesses, and how many it takes.

    For one log it asks for more than half of all members, its author left out. For all logs together it asks for one
    more, of whom the author may be one.
    """
    from client.export.folder import write_durably
    from ledger.consortium.trust import policy_for

    settings = settings_of(context)
    history = manifests(settings, lineage, through).history
    made = policy_for(history, log).encode()
    head = f"# {history.current.name}\n# consortium {history.consortium.hex()}, manifest {history.current.sequence}\n"
    text = head.encode() + made
    if output is not None:
        write_durably(output, text)
    if settings.json:
        line({"policy": text.decode(), "output": None if output is None else str(output)})
    elif output is None:
        typer.echo(text.decode(), nl=False)
