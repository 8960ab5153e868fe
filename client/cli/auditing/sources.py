"""Where an auditor's command reads from: one member's node, or a folder of tiles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from client.cli.connect import endpoint
from client.cli.failure import UsageError
from client.cli.options import Settings

if TYPE_CHECKING:
    from client.audit.reading.tiles import Tiles
    from client.credentials import Endpoint
    from client.sdk import Session

THROUGH = typer.Option(metavar="MEMBER", help="With --home: read from this member's node.", show_default=False)
TILES = typer.Option(metavar="DIR", help="Read this folder of tiles, and no node.", show_default=False)


def source_of(settings: Settings, through: str | None, tiles: Path | None) -> Endpoint | Path:
    """What the options say. Raises UsageError where they say both, and as `client.cli.connect.endpoint`."""
    if tiles is None:
        return endpoint(settings, "auditor", through)
    if through is not None or settings.address is not None:
        raise UsageError("--tiles reads a folder, and asks no node")
    return tiles


@contextmanager
def opened(source: Endpoint | Path) -> Iterator[Session | Tiles]:
    """To be read from; a new connection each time."""
    from client.audit.reading.tiles import Tiles
    from client.sdk import Session

    if isinstance(source, Path):
        yield Tiles(source)
        return
    with Session(source) as session:
        yield session
