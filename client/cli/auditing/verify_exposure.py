"""plimsoll audit verify-exposure: one saved answer, verified from the logs and its transcript alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.cli.connect import endpoint
from client.cli.failure import UsageError
from client.cli.options import Settings, settings_of
from client.cli.output import answer, progress, write_over
from ledger.errors import Unverified

if TYPE_CHECKING:
    from client.audit.reading.source import Source


def verify_exposure(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `exposure --transcript` saved.", show_default=False)
    ],
    through: Annotated[
        str | None,
        typer.Option(metavar="MEMBER", help="With --home: read from this member's node.", show_default=False),
    ] = None,
    tiles: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Read this folder of tiles, and no node.", show_default=False)
    ] = None,
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
    with _opened(settings, through, tiles) as source, progress() as bar:
        task = bar.add_task("asking", total=None)
        facts, finding = verify_over(
            source, saved, lambda what, done, of: bar.update(task, description=what, completed=done, total=of), last
        )
    answer(facts, lambda: transcript_view(facts), as_json=settings.json)
    if finding is not None:
        raise typer.Exit(Unverified.exit_code)


@contextmanager
def _opened(settings: Settings, through: str | None, tiles: Path | None) -> Iterator[Source]:
    from client.audit.reading.tiles import Tiles
    from client.sdk import Session

    if tiles is None:
        with Session(endpoint(settings, "auditor", through)) as session:
            yield session
        return
    if through is not None or settings.address is not None:
        raise UsageError("--tiles reads a folder, and asks no node")
    yield Tiles(tiles)
