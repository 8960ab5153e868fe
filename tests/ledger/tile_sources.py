"""Tiles in memory, counted as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head
from ledger.tlog.tiled_log import TiledLog
from ledger.tlog.tiles import Tile
from ledger.tlog.tiling import Tiler

ORIGIN = "example.com/log"


class Tiles(dict[str, bytes]):
    """By path; a TileSource."""

    reads = 0

    def read(self, tiles: Sequence[Tile]) -> list[bytes | None]:
        self.reads += 1
        return [self.get(tile.path) for tile in tiles]


def tiles_over(entries: Sequence[bytes]) -> Tiles:
    """Of a log with these entries."""
    tiler = Tiler()
    return Tiles({tile.path: raw for tile, raw in [*tiler.add(entries), *tiler.edge()]})


def head_over(entries: Sequence[bytes]) -> Head:
    return Head(ORIGIN, len(entries), merkle.root_of([merkle.leaf_hash(entry) for entry in entries]))


def opened(entries: Sequence[bytes]) -> TiledLog:
    return TiledLog(tiles_over(entries), head_over(entries))


@cache
def large() -> tuple[tuple[bytes, ...], Tiles]:
    """70,000 entries and their tiles; not to be changed."""
    from tests.vectors.generate_tiles import entry

    entries = tuple(map(entry, range(70_000)))
    return entries, tiles_over(entries)
