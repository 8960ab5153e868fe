"""plimsoll audit verify-opening: what a lender has disclosed of one position, held against its log. No secret."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.cli.connect import connect
from client.cli.options import Settings, settings_of
from client.cli.output import answer

if TYPE_CHECKING:
    from ledger.consortium.history import History


def verify_opening(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `disclose` wrote.", show_default=False)],
    lineage: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The consortium's manifests (`lineage -o`), or its founding manifest; else a node is asked.",
            show_default=False,
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What `audit run --json` printed: has the public keys.", show_default=False),
    ] = None,
) -> None:
    """Verify an opening: that a published entry says exactly this of these loans.

    Digest, folded position, ciphertext, proof and receipt are made again. Offline with --lineage.
    """
    from client import openings
    from ledger.disclosure import verify

    settings = settings_of(context)
    raw = file.read_bytes()
    history = _history(settings, lineage)
    known = None if keys is None else openings.field_keys(openings.read_report(keys), history.consortium)
    shown = verify(raw, history, known)
    answer(
        {"file": str(file), **openings.facts(shown)},
        lambda: openings.view(shown, history.current),
        as_json=settings.json,
    )


def _history(settings: Settings, lineage: Path | None) -> History:
    from client import openings

    if lineage is not None:
        return openings.history_in(lineage.read_bytes())
    with connect(settings, "auditor") as session:
        return session.lineage().history
