"""A log as static files (C2SP tlog-tiles): which there are, what they are called, and how a bundle of entries is spelt.

    tile/<L>/<N>[.p/<W>]          level L, 0 .. 63: hashes, each over 256^L entries
    tile/entries/<N>[.p/<W>]      a bundle: of each entry its length (u16, big endian), then the entry

A full tile has 256 hashes or entries; what is left over at the right edge of a level is a partial tile of width W,
1 .. 255. There is never an empty one. N is written in elements of three digits, all but the last with an x in front.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.chain.entries import MAX_ENTRY
from ledger.chain.tree import TILE_WIDTH
from ledger.errors import InvalidInput
from ledger.tlog.merkle import HASH_SIZE, MAX_SIZE

BUNDLE = -1  # stands for a level where entries are meant, which lie below the hashes
MAX_LEVEL = 63

_DEPTH = 8  # 2^8 hashes a tile
_LENGTH_SIZE = 2
_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([0-9]{1,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile's place. level: 0 .. 63, or BUNDLE. number: from 0 within its level. width: 1 .. 256, full where 256."""

    level: int
    number: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not BUNDLE <= self.level <= MAX_LEVEL:
            raise InvalidInput("BAD_TILE_PATH", "a tile's level is in 0 .. 63", "level")
        if not 0 <= self.number <= MAX_SIZE >> _DEPTH:
            raise InvalidInput("BAD_TILE_PATH", "no log has a tile of that number", "number")
        if not 1 <= self.width <= TILE_WIDTH:
            raise InvalidInput("BAD_TILE_PATH", "a tile's width is in 1 .. 256", "width")

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Reads a path as `path` writes it, and no other spelling. Raises InvalidInput."""
        found = _PATH.fullmatch(path)
        if found is None:
            raise InvalidInput("BAD_TILE_PATH", "not the path of a tile", "path")
        level, number, width = found.groups()
        tile = cls(
            BUNDLE if level == "entries" else int(level),
            int(number.replace("x", "").replace("/", "")),
            TILE_WIDTH if width is None else int(width),
        )
        if tile.path != path:  # zeros in front, or a width of 256 spelt out
            raise InvalidInput("BAD_TILE_PATH", "not the shortest path of its tile", "path")
        return tile

    @property
    def path(self) -> str:
        """Below the log's prefix, without a slash in front."""
        level = "entries" if self.level == BUNDLE else str(self.level)
        digits = f"{self.number:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *above, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
        folders = "".join(f"x{element}/" for element in above)
        return f"tile/{level}/{folders}{last}{'' if self.is_full else f'.p/{self.width}'}"

    @property
    def is_full(self) -> bool:
        """Whether nothing will ever be added to it."""
        return self.width == TILE_WIDTH

    @property
    def first(self) -> int:
        """Index of the first entry under it."""
        return self.number << _DEPTH * (max(self.level, 0) + 1)

    @property
    def size(self) -> int | None:
        """How many bytes it has; None for a bundle."""
        return None if self.level == BUNDLE else self.width * HASH_SIZE

    def belongs_to(self, size: int) -> bool:
        """Whether a log of this size has it."""
        full, partial = divmod(size >> _DEPTH * max(self.level, 0), TILE_WIDTH)
        return self.number < full if self.is_full else (self.number, self.width) == (full, partial)


class TileSource(Protocol):
    """Where tiles lie: a folder, a server."""

    def read(self, tiles: Sequence[Tile]) -> list[bytes | None]:
        """The bytes of each, in the order asked, None where there is none. Nothing of them is verified."""


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """All tiles of a log of this size: bundles first, then level by level, the partial one of a level last.

    since: without those that it had at this size already, no larger than the other.
    """
    for level in range(BUNDLE, levels(size)):
        shift = _DEPTH * max(level, 0)
        full = size >> shift + _DEPTH
        for number in range(since >> shift + _DEPTH, full):
            yield Tile(level, number)
        partial = edge(level, size)
        if partial is not None and not partial.belongs_to(since):
            yield partial


def levels(size: int) -> int:
    """How many levels of hashes a log of this size has: 0 without entries, 2 from 256 on."""
    return -(-size.bit_length() // _DEPTH)


def edge(level: int, size: int) -> Tile | None:
    """The partial tile at the right edge of a level; None where there is none."""
    full, partial = divmod(size >> _DEPTH * max(level, 0), TILE_WIDTH)
    return Tile(level, full, partial) if partial else None


def edges(size: int) -> Iterator[Tile]:
    """All partial tiles of a log of this size: those that it may not have any more when it has grown."""
    found = (edge(level, size) for level in range(BUNDLE, levels(size)))
    return (tile for tile in found if tile is not None)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of a bundle. Raises InvalidInput for what is no entry by its size, or is not 1 .. 256 of them."""
    if not 1 <= len(entries) <= TILE_WIDTH or not 1 <= min(map(len, entries)) <= max(map(len, entries)) <= MAX_ENTRY:
        raise InvalidInput("BAD_BUNDLE", f"a bundle has 1 to {TILE_WIDTH} entries, of 1 to {MAX_ENTRY} bytes each")
    return b"".join(part for entry in entries for part in (len(entry).to_bytes(_LENGTH_SIZE, "big"), entry))


def split_bundle(raw: bytes, width: int) -> tuple[bytes, ...]:
    """The entries of a bundle of this width. Raises BadBundle."""
    entries: list[bytes] = []
    at = 0
    for _ in range(width):
        start = at + _LENGTH_SIZE
        length = int.from_bytes(raw[at:start], "big")
        at = start + length
        if not length or at > len(raw):
            raise BadBundle("it ends early, or has an empty entry", entries)
        entries.append(raw[start:at])
    if at != len(raw):
        raise BadBundle(f"it has more than its {width} entries", entries)
    return tuple(entries)


class BadBundle(InvalidInput):
    """before: the entries ahead of the place where it went wrong."""

    def __init__(self, why: str, before: Sequence[bytes]) -> None:
        super().__init__("BAD_BUNDLE", why, f"[{len(before)}]")
        self.before = tuple(before)
