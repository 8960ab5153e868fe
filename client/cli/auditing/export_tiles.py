"""plimsoll audit export-tiles: all logs as static files that any transparency-log tool can check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.cli.auditing.sources import THROUGH
from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer, progress
from ledger.errors import Unverified


def export_tiles(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where they go; what is there is continued.")],
    through: Annotated[str | None, THROUGH] = None,
    check: Annotated[bool, typer.Option("--check", help="Read every byte that is there already, too.")] = False,
) -> None:
    """Write every log as tiles (C2SP tlog-tiles) into a folder, and bring it up to date when run again.

    All is verified before it is published, and what is there must be the beginning of what the node has. A folder is
    consistent at any moment, also when this is killed; `audit run` checks it without a node.
    """
    from client.export.consortium import export
    from client.export.view import view

    settings = settings_of(context)
    with connect(settings, "auditor", through) as session, progress() as bar:
        task = bar.add_task("asking", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        result = export(session, folder, show, check=check)
    answer(result.facts(), lambda: view(result), as_json=settings.json)
    if result.failed:
        raise typer.Exit(Unverified.exit_code)
