"""Makes a log's tiles as its entries come, in one go or where it was left (C2SP tlog-tiles).

What it holds is the right edge: of every level the hashes that fill no tile yet, and the entries that fill no bundle.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.chain.tree import TILE_WIDTH
from ledger.errors import InvalidInput
from ledger.tlog import merkle
from ledger.tlog.merkle import CompactRange
from ledger.tlog.tiled_log import TiledLog, edge_tree
from ledger.tlog.tiles import BUNDLE, Tile, edges, encode_bundle

Made = list[tuple[Tile, bytes]]


class Tiler:
    """The tiles of a log of `size` entries. `add` hands out those that are full, `edge` those that are not."""

    def __init__(self, log: TiledLog | None = None) -> None:
        """log: which it continues; its edge is read. Raises as `TiledLog.entries`."""
        self._size = 0 if log is None else log.size
        self._edge: list[list[bytes]] = [] if log is None else [list(hashes) for hashes in log.edge]
        self._entries: list[bytes] = []
        if log is not None and log.size % TILE_WIDTH:
            start = log.size - log.size % TILE_WIDTH
            self._entries = [entry for stretch in log.entries(start) for entry in stretch.entries]

    @property
    def size(self) -> int:
        """How many entries."""
        return self._size

    @property
    def tree(self) -> CompactRange:
        """The tree over them."""
        return edge_tree(self._size, self._edge)

    def add(self, entries: Sequence[bytes], leaves: Sequence[bytes] | None = None) -> Made:
        """Takes the next entries; the tiles and bundles that are full by them. leaves: their hashes, where known.

        Raises InvalidInput for what is no entry by its size, and is then not to be used any more.
        """
        hashes = [merkle.leaf_hash(entry) for entry in entries] if leaves is None else leaves
        if len(hashes) != len(entries):
            raise InvalidInput("BAD_HASH", "one hash an entry", "leaves")
        made: Made = []
        for at in range(0, len(entries), TILE_WIDTH):  # so that a level rises by one tile at most
            self._add(entries[at : at + TILE_WIDTH], hashes[at : at + TILE_WIDTH], made)
        return made

    def edge(self) -> Made:
        """The partial tiles as of now."""
        return [
            (tile, encode_bundle(self._entries) if tile.level == BUNDLE else b"".join(self._edge[tile.level]))
            for tile in edges(self._size)
        ]

    def _add(self, entries: Sequence[bytes], hashes: Sequence[bytes], made: Made) -> None:
        self._entries += entries
        self._size += len(entries)
        if len(self._entries) >= TILE_WIDTH:
            full, self._entries = self._entries[:TILE_WIDTH], self._entries[TILE_WIDTH:]
            made.append((Tile(BUNDLE, self._size // TILE_WIDTH - 1), encode_bundle(full)))
        self._rise(0, hashes, made)

    def _rise(self, level: int, hashes: Sequence[bytes], made: Made) -> None:
        if level == len(self._edge):
            self._edge.append([])
        row = self._edge[level]
        row += hashes
        if len(row) >= TILE_WIDTH:
            full, self._edge[level] = row[:TILE_WIDTH], row[TILE_WIDTH:]
            made.append((Tile(level, (self._size >> 8 * (level + 1)) - 1), b"".join(full)))
            self._rise(level + 1, [merkle.root_of(full)], made)
