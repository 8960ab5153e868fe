"""plimsoll audit verify-exposure: one saved answer, verified from the logs and its transcript alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.cli.auditing.sources import THROUGH, TILES, opened, source_of
from client.cli.options import settings_of
from client.cli.output import answer, progress, write_over
from ledger.errors import Unverified


def verify_exposure(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `exposure --transcript` saved.", show_default=False)
    ],
    through: Annotated[str | None, THROUGH] = None,
    tiles: Annotated[Path | None, TILES] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An audit's state: the logs must go on from what was verified then.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Verify a saved answer: that its labels, records, sums and partial decryptions follow from the logs.

    Names the first step that does not hold. A redacted transcript shows less, and it is said what.
    """
    from client.audit.keeping.keeping import Keeping
    from client.audit.transcripts import Saved, verify_over
    from client.transcripts import transcript_view

    settings = settings_of(context)
    saved = Saved.of(str(file), file.read_bytes())
    last = Keeping(state, write_over).last() if state is not None else None
    with opened(source_of(settings, through, tiles)) as source, progress() as bar:
        task = bar.add_task("asking", total=None)
        facts, finding = verify_over(
            source, saved, lambda what, done, of: bar.update(task, description=what, completed=done, total=of), last
        )
    answer(facts, lambda: transcript_view(facts), as_json=settings.json)
    if finding is not None:
        raise typer.Exit(Unverified.exit_code)
