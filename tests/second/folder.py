"""A folder of exported logs: what its tiles say, and the first entry in doubt (protocol sections 22 and 24)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.second import merkle, tiles
from tests.second.refusal import Refused, require

HASH = 32
MOST_NOTE, MOST_LINEAGE, MOST_BUNDLE = 1 << 20, 64 << 20, tiles.WIDTH * (2 + 65_535)


class InDoubt(Refused):
    """index: of the first entry that is."""

    def __init__(self, code: str, index: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.index = index


def read_file(path: Path, most: int) -> bytes:
    require(path.is_file(), "NO_SUCH_FILE", str(path))
    with path.open("rb") as file:
        raw = file.read(most + 1)
    require(len(raw) <= most, "TOO_LARGE", str(path))
    return raw


class Tiles:
    """Those of a log of this size."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size

    def entries(self) -> list[bytes]:
        """All of them, as the tiles have them. Raises InDoubt."""
        found: list[bytes] = []
        for number in range(-(-self._size // tiles.WIDTH)):
            bundle = self._bundle(number)
            self._compare(0, number, [merkle.leaf_hash(entry) for entry in bundle])
            found += bundle
        hashes, level = [merkle.leaf_hash(entry) for entry in found], 0
        while len(hashes) >= tiles.WIDTH:
            starts = range(0, len(hashes) - tiles.WIDTH + 1, tiles.WIDTH)
            hashes, level = [merkle.root(hashes[at : at + tiles.WIDTH]) for at in starts], level + 1
            for number in range(-(-len(hashes) // tiles.WIDTH)):
                self._compare(level, number, hashes[tiles.WIDTH * number :][: tiles.WIDTH])
        return found

    def _compare(self, level: int, number: int, hashes: Sequence[bytes]) -> None:
        for place, (mine, stored) in enumerate(zip(hashes, self._hashes(level, number), strict=True)):
            if mine != stored:
                index = (tiles.WIDTH * number + place) << 8 * level
                raise InDoubt("BAD_TILE", index, tiles.path(level, number, len(hashes)))

    def _width(self, level: int, number: int) -> int:
        return min(tiles.WIDTH, (self._size >> 8 * max(level, 0)) - tiles.WIDTH * number)

    def _hashes(self, level: int, number: int) -> list[bytes]:
        path = tiles.path(level, number, self._width(level, number))
        first = tiles.WIDTH * number << 8 * level
        try:
            raw = read_file(self._folder / path, HASH * tiles.WIDTH)
        except Refused as refused:
            raise InDoubt(refused.code, first, path) from refused
        if len(raw) != HASH * self._width(level, number):
            raise InDoubt("BAD_TILE", first, path)
        return [raw[at : at + HASH] for at in range(0, len(raw), HASH)]

    def _bundle(self, number: int) -> list[bytes]:
        first, width = tiles.WIDTH * number, self._width(-1, number)
        path = tiles.path(-1, number, width)
        try:
            raw = read_file(self._folder / path, MOST_BUNDLE)
        except Refused as refused:
            raise InDoubt(refused.code, first, path) from refused
        try:
            return tiles.read_bundle(raw, width)
        except Refused as refused:
            raise InDoubt(refused.code, first + self._readable(raw, number, width), path) from refused

    def _readable(self, raw: bytes, number: int, width: int) -> int:
        """How many of a spoilt bundle's entries are those of the tile, or where there is none, can be read."""
        entries: list[bytes] = []
        while len(entries) < width:
            length = int.from_bytes(raw[:2], "big")
            if not length or len(raw) < 2 + length:
                break
            entries.append(raw[2 : 2 + length])
            raw = raw[2 + length :]
        try:
            hashes = self._hashes(0, number)
        except Refused:
            return len(entries)
        wrong = [place for place, entry in enumerate(entries) if merkle.leaf_hash(entry) != hashes[place]]
        return min(wrong, default=len(entries))
