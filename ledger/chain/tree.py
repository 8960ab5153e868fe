"""The stored Merkle tree of one log: RFC 6962 hashes in the tiles of C2SP tlog-tiles (log-formats, "Tiles").

A tile of level L holds 256 hashes, each over 256^L entries. Only full tiles are stored; the partial one at the right
edge of every level lives in memory and is made again when the log is opened, from full tiles and the last entries. So
growing costs one put of 8 KiB per 256 entries, and no node is hashed twice: a tile's inner nodes are kept while it is.

A `Tree` never changes: growing gives another one that shares what has stayed. So readers need no lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from ledger.errors import InvalidInput, Unverified
from ledger.tlog import merkle
from ledger.tlog.merkle import HASH_SIZE, CompactRange
from ledger.tlog.proofs import Proofs

TILE_WIDTH = 256
TILE_SIZE = TILE_WIDTH * HASH_SIZE

_DEPTH = 8  # a tile's root stands 8 rows above its hashes
_TILES_KEPT = 32  # of each log: 40 KB each

TileReader = Callable[[int, int], bytes | None]
"""The stored bytes of full tile (level, number), or None."""

Rows = tuple[list[bytes], ...]
"""A tile as nine rows, each half as long as the one before: hashes, then nodes over them. Never changed once made."""

TileId = tuple[int, int]
"""(level, number)."""

_NO_HASHES: Rows = ([],) * (_DEPTH + 1)


class TileStore:
    """Full tiles as they are read: each checked against its root and kept for a while. For several threads."""

    def __init__(self, read: TileReader) -> None:
        self._read = read
        self.load = lru_cache(_TILES_KEPT)(self._load)

    def hashes(self, level: int, number: int) -> list[bytes]:
        """A tile's hashes as stored. Raises Unverified where it is missing or of the wrong size."""
        raw = self._read(level, number)
        if raw is None or len(raw) != TILE_SIZE:
            what = "is missing" if raw is None else f"has {len(raw)} bytes"
            raise Unverified("BAD_TILE", f"stored tile {number} of level {level} {what}", tile_path(level, number))
        return split_hashes(raw)

    def _load(self, level: int, number: int, root: bytes) -> Rows:
        rows = _grown(_NO_HASHES, self.hashes(level, number))
        if rows[_DEPTH][0] != root:
            raise Unverified(
                "BAD_TILE", f"stored tile {number} of level {level} has rotted: wrong root", tile_path(level, number)
            )
        return rows


class Tree(Proofs):
    """The tree over a log's first `size` leaves. Raises InvalidInput for sizes and indices beyond it."""

    __slots__ = ("_edge", "_fresh", "_store", "size")
    size: int

    def __init__(
        self, store: TileStore, size: int = 0, edge: Sequence[Rows] = (), fresh: Mapping[TileId, Rows] | None = None
    ) -> None:
        """For `Tree.load` and `extended`. edge: every level's partial tile; fresh: full ones, perhaps not stored."""
        self._store = store
        self.size = size
        self._edge = tuple(edge)
        self._fresh = MappingProxyType({} if fresh is None else fresh)

    @classmethod
    def load(cls, store: TileStore, size: int, last_leaves: Sequence[bytes]) -> Tree:
        """Out of stored tiles and the last size % 256 leaf hashes. Its root is the caller's to check.

        Reads at most 255 tiles a level. Raises Unverified for a bad tile.
        """
        edge = [_grown(_NO_HASHES, last_leaves)]
        level = 1
        while count := size >> _DEPTH * level:
            first = count - count % TILE_WIDTH
            roots = [merkle.root_of(store.hashes(level - 1, number)) for number in range(first, count)]
            edge.append(_grown(_NO_HASHES, roots))
            level += 1
        return cls(store, size, edge)

    def extended(self, leaf_hashes: Sequence[bytes]) -> Tree:
        """The tree with these leaves behind. Nothing is stored: `new_tiles` has what must be."""
        edge = list(self._edge)
        fresh: dict[TileId, Rows] = {}
        hashes, level = leaf_hashes, 0
        while hashes:
            if level == len(edge):
                edge.append(_NO_HASHES)
            number = self.size >> _DEPTH * (level + 1)
            edge[level], full = _filled(edge[level], hashes)
            fresh.update(((level, number + place), rows) for place, rows in enumerate(full))
            hashes, level = [rows[_DEPTH][0] for rows in full], level + 1
        return Tree(self._store, self.size + len(leaf_hashes), edge, fresh)

    def new_tiles(self) -> Iterator[tuple[TileId, bytes]]:
        """The tiles that the last `extended` filled, as they are stored."""
        for tile, rows in self._fresh.items():
            yield tile, b"".join(rows[0])

    def root(self) -> bytes:
        """Of the whole tree."""
        peaks = [
            rows[depth][-1]
            for rows in reversed(self._edge)
            for depth in range(_DEPTH - 1, -1, -1)
            if len(rows[0]) >> depth & 1
        ]
        return CompactRange(self.size, peaks).root()

    def node(self, level: int, index: int) -> bytes:
        """A merkle.NodeReader: the root of the complete subtree over 2^level leaves from index * 2^level on."""
        if index < 0 or index + 1 << level > self.size:
            raise InvalidInput("BAD_INDEX", "no complete subtree of that place in a tree of this size", "index")
        tile_level, depth = divmod(level, _DEPTH)
        number, place = divmod(index << depth, TILE_WIDTH)
        return self._rows(tile_level, number)[depth][place >> depth]

    def _rows(self, level: int, number: int) -> Rows:
        if number == self.size >> _DEPTH * (level + 1):
            return self._edge[level]
        rows = self._fresh.get((level, number))
        if rows is None:
            # The tile above says what this one must be, and so on up to the edge: a rotten tile proves nothing.
            rows = self._store.load(level, number, self.node(_DEPTH * (level + 1), number))
        return rows


def split_hashes(raw: bytes) -> list[bytes]:
    """A tile's hashes."""
    return [raw[at : at + HASH_SIZE] for at in range(0, len(raw), HASH_SIZE)]


def tile_path(level: int, number: int) -> str:
    """How errors name a tile."""
    return f"tiles[{level}][{number}]"


def _filled(rows: Rows, hashes: Sequence[bytes]) -> tuple[Rows, list[Rows]]:
    """A partial tile continued by `hashes`: (the partial tile then, the tiles that became full)."""
    full = []
    room = TILE_WIDTH - len(rows[0])
    start = 0
    while len(hashes) - start >= room:
        full.append(_grown(rows, hashes[start : start + room]))
        start += room
        rows, room = _NO_HASHES, TILE_WIDTH
    return (_grown(rows, hashes[start:]) if start < len(hashes) else rows), full


def _grown(rows: Rows, hashes: Iterable[bytes]) -> Rows:
    """A tile's rows with further hashes in the first; node hashes inlined, as this is where a log's time goes."""
    sha256 = hashlib.sha256
    grown = [[*rows[0], *hashes]]
    for nodes in rows[1:]:
        pairs = iter(grown[-1][2 * len(nodes) : len(grown[-1]) & ~1])
        new = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        grown.append([*nodes, *new])
    return tuple(grown)
