"""plimsoll lineage: the consortium's manifests, as a lender that joins is handed them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer, write_over


def lineage(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where it goes.", show_default=False)
    ] = None,
) -> None:
    """Show the consortium's manifests, verified from the founding one on, and write them to a file.

    The file is no secret. With it a lender that is taken in joins (`join`), and a member that was away catches up.
    """
    from client import render

    settings = settings_of(context)
    with connect(settings, "operator") as session:
        found = session.lineage()
    if output is not None:
        write_over(output, found.encode())
    facts = {
        "consortium": found.history.consortium.hex(),
        "manifests": [
            {
                "sequence": manifest.sequence,
                "id": manifest.id.hex(),
                "epoch": manifest.epoch,
                "members": [member.name for member in manifest.members],
                "approved": [proof.member for proof in approvals],
            }
            for manifest, approvals in zip(found.history.manifests, ((), *found.approvals), strict=True)
        ],
        "output": None if output is None else str(output),
    }
    answer(facts, lambda: render.lineage(facts), as_json=settings.json)
