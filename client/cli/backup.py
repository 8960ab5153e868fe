"""plimsoll backup: a copy of a home, made by its node while it runs, or without it where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.cli.connect import connect
from client.cli.delegate import hand_over
from client.cli.options import settings_of
from client.cli.output import answer, progress
from ledger.errors import Unavailable, Unverified

if TYPE_CHECKING:
    from plimsoll.v1 import operator_pb2

    from client.cli.options import Settings


def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is not there yet.")],
) -> None:
    """Copy the home: logs, book, configuration, certificates and the sealed keyring; never a custodian's shares.

    The node goes on working meanwhile. One that does not run is copied without it.
    """
    from client import plain, render

    settings = settings_of(context)
    try:
        summary = _by_the_node(settings, folder)
    except Unavailable:
        if settings.home_or_environment is None:
            raise
        hand_over(context, "backup", str(folder))
    answer(plain.plain(summary), lambda: render.backup(summary), as_json=settings.json)


def _by_the_node(settings: Settings, folder: Path) -> operator_pb2.BackupSummary:
    """The path is the node's: what is relative is taken from here, as a home's node is on this machine."""
    target = str(folder if settings.home_or_environment is None else folder.absolute())
    summary = None
    with connect(settings, "operator") as session, progress() as bar:
        task = bar.add_task("backup", total=None)
        for response in session.backup(target):
            bar.update(task, description=response.phase, completed=response.done, total=response.total or None)
            if response.HasField("summary"):
                summary = response.summary
    if summary is None:
        raise Unverified("NO_SUMMARY", "the node ended its answer without saying what the backup holds")
    return summary
