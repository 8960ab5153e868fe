"""A log read out of its tiles, every byte held against a head (C2SP tlog-tiles).

The partial tiles lead to the head's root, every full tile to a hash in the tile above it, and the entries to the hashes
of level 0; so what is handed out is what the head's signer signed, wherever the tiles come from. The head must be
verified: nothing here looks at signatures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ledger.chain.tree import TILE_WIDTH, split_hashes
from ledger.errors import InvalidInput, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head
from ledger.tlog.merkle import CompactRange
from ledger.tlog.proofs import Proofs
from ledger.tlog.tiles import BUNDLE, BadBundle, Tile, TileSource, edge, levels, split_bundle

_DEPTH = 8
_KEPT = 64  # full tiles, of 8 KiB each
_AT_ONCE = 8  # bundles, of 16 MiB at most and mostly of 200 KiB


@dataclass(frozen=True, slots=True)
class Stretch:
    """Verified entries. start: index of the first. leaves: their hashes."""

    start: int
    entries: tuple[bytes, ...]
    leaves: tuple[bytes, ...]


class BadTile(Unverified):
    """A tile that is missing, or is not what its log's author has signed for. index: the first entry in doubt."""

    def __init__(self, tile: Tile, why: str, index: int) -> None:
        super().__init__("BAD_TILE", f"{why}, from entry {index} on", tile.path)
        self.tile = tile
        self.index = index


class TiledLog(Proofs):
    """The entries and the tree under `head`, for as long as the source keeps that head's tiles.

    What does not fit raises BadTile, or Unverified (ROOT_MISMATCH) where the tiles fit each other and not the head.
    """

    def __init__(self, source: TileSource, head: Head) -> None:
        """head: verified. Reads the partial tiles."""
        self._source = source
        self.head = head
        self._full = lru_cache(_KEPT)(self._load)
        self.edge = self._read_edge()
        """By level: the hashes in its partial tile."""
        if edge_tree(self.size, self.edge).root() != head.root:
            raise self._misled()

    @property
    def size(self) -> int:
        """How many entries."""
        return self.head.size

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Stretch]:
        """The entries from `start` on and before `stop`, bundle by bundle. Raises InvalidInput for a bad range."""
        end = self.size if stop is None else stop
        if not 0 <= start <= end <= self.size:
            raise InvalidInput("BAD_INDEX", f"the log has {self.size} entries here", "start")
        numbers = range(start // TILE_WIDTH, -(-end // TILE_WIDTH))
        for at in range(0, len(numbers), _AT_ONCE):
            for stretch in self._bundles(numbers[at : at + _AT_ONCE]):
                low, high = max(start - stretch.start, 0), end - stretch.start
                yield Stretch(stretch.start + low, stretch.entries[low:high], stretch.leaves[low:high])

    # -- the tree

    def node(self, level: int, index: int) -> bytes:
        """A merkle.NodeReader: the root of the complete subtree over 2^level entries from index * 2^level on."""
        if index < 0 or index + 1 << level > self.size:
            raise InvalidInput("BAD_INDEX", "no complete subtree of that place in a tree of this size", "index")
        tile_level, depth = divmod(level, _DEPTH)
        number, place = divmod(index << depth, TILE_WIDTH)
        return merkle.root_of(self._hashes(tile_level, number)[place : place + (1 << depth)])

    # -- reading tiles

    def _read(self, tiles: Sequence[Tile]) -> list[bytes]:
        raws = self._source.read(tiles)
        for tile, raw in zip(tiles, raws, strict=True):
            if raw is None:
                raise BadTile(tile, "this tile is missing", tile.first)
            if tile.size not in (None, len(raw)):
                raise BadTile(tile, f"this tile has {len(raw)} bytes instead of {tile.size}", tile.first)
        return [raw for raw in raws if raw is not None]

    def _read_edge(self) -> tuple[Sequence[bytes], ...]:
        tiles = [edge(level, self.size) for level in range(levels(self.size))]
        raws = iter(self._read([tile for tile in tiles if tile is not None]))
        return tuple(() if tile is None else split_hashes(next(raws)) for tile in tiles)

    def _hashes(self, level: int, number: int) -> Sequence[bytes]:
        """Of one tile, verified."""
        if number == self.size >> _DEPTH * (level + 1):
            return self.edge[level]
        return self._full(level, number)

    def _load(self, level: int, number: int) -> Sequence[bytes]:
        tile = Tile(level, number)
        return self._checked(tile, split_hashes(self._read([tile])[0]))

    def _checked(self, tile: Tile, hashes: Sequence[bytes]) -> Sequence[bytes]:
        """A full tile's hashes, if the tile above has their root."""
        above, place = divmod(tile.number, TILE_WIDTH)
        if merkle.root_of(hashes) != self._hashes(tile.level + 1, above)[place]:
            raise BadTile(tile, "this tile is not the one that was signed for", self._first_bad(tile, hashes))
        return hashes

    def _bundles(self, numbers: Sequence[int]) -> Iterator[Stretch]:
        full = self.size // TILE_WIDTH
        tiles = [Tile(0, number) for number in numbers if number < full]
        hashes = [self._checked(tile, split_hashes(raw)) for tile, raw in zip(tiles, self._read(tiles), strict=True)]
        if numbers[-1] == full:
            hashes.append(self.edge[0])
        bundles = [Tile(BUNDLE, number, len(row)) for number, row in zip(numbers, hashes, strict=True)]
        for tile, row, raw in zip(bundles, hashes, self._read(bundles), strict=True):
            yield _stretch(tile, row, raw)

    # -- who is to blame

    def _misled(self) -> Unverified:
        """Which tile at the edge does not fit what lies below it."""
        for level, hashes in enumerate(self.edge):
            tile = edge(level, self.size)
            if tile is not None and (index := self._first_bad(tile, hashes, -1)) >= 0:
                return BadTile(tile, "this tile does not fit what lies below it", index)
        return Unverified("ROOT_MISMATCH", "these tiles are not of the history that the head is of", "checkpoint")

    def _first_bad(self, tile: Tile, hashes: Sequence[bytes], none: int | None = None) -> int:
        """The first entry under the first hash that is not what lies below the tile; `none` where all are."""
        for place, (hash_, below) in enumerate(zip(hashes, self._below(tile), strict=False)):
            if hash_ != below:
                return tile.first + (place << _DEPTH * tile.level)
        return tile.first if none is None else none

    def _below(self, tile: Tile) -> Iterator[bytes | None]:
        """The hashes that a tile should have by what lies below it, unverified; None from where that cannot be told."""
        try:
            if tile.level == 0:
                bundle = Tile(BUNDLE, tile.number, tile.width)
                yield from map(merkle.leaf_hash, split_bundle(self._read([bundle])[0], tile.width))
            for place in range(tile.width if tile.level else 0):
                lower = Tile(tile.level - 1, tile.number * TILE_WIDTH + place)
                yield merkle.root_of(split_hashes(self._read([lower])[0]))
        except (BadBundle, BadTile):
            yield None


def _stretch(tile: Tile, hashes: Sequence[bytes], raw: bytes) -> Stretch:
    """A bundle's entries, if these are their hashes."""
    try:
        entries, broken = split_bundle(raw, tile.width), None
    except BadBundle as error:  # a length that was changed is seen only behind the entry that it spoils
        entries, broken = error.before, error
    leaves = tuple(map(merkle.leaf_hash, entries))
    for place, (leaf, hash_) in enumerate(zip(leaves, hashes, strict=False)):
        if leaf != hash_:
            raise BadTile(tile, "this bundle has another entry than was signed for", tile.first + place)
    if broken is not None:
        index = tile.first + min(len(entries), tile.width - 1)
        raise BadTile(tile, f"this bundle is none: {broken.message}", index) from broken
    return Stretch(tile.first, entries, leaves)


def edge_tree(size: int, edge: Sequence[Sequence[bytes]]) -> CompactRange:
    """The tree of which these are the hashes in its partial tiles, from level 0 on. Raises InvalidInput."""
    peaks: list[bytes] = []
    for hashes in reversed(edge):
        start = 0
        for count in (1 << bit for bit in range(_DEPTH - 1, -1, -1)):
            if len(hashes) & count:
                peaks.append(merkle.root_of(hashes[start : start + count]))
                start += count
    return CompactRange(size, peaks)
