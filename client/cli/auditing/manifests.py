"""Where the commands for other tools take the consortium's manifests from: a file, or any member's node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.cli.connect import connect
from client.cli.options import Settings

if TYPE_CHECKING:
    from ledger.consortium.lineage import Lineage

LineageOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Take the manifests from this file, as `lineage` and `audit export-tiles` write it, and ask no node.",
        show_default=False,
    ),
]
ThroughOption = Annotated[
    str | None,
    typer.Option(metavar="MEMBER", help="With --home: ask this member's node.", show_default=False),
]


def manifests(settings: Settings, file: Path | None, through: str | None) -> Lineage:
    """Verified. Raises PlimsollError and OSError."""
    from client.export.lineage import read_lineage
    from ledger.consortium.lineage import open_lineage

    if file is not None:
        return open_lineage(file.read_bytes())
    with connect(settings, "auditor", through) as session:
        return read_lineage(session)
