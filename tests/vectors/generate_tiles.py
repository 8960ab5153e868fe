"""Writes tiles.json: the tiles of a log at some sizes, paths of tiles, and paths that are none.

    python -m tests.vectors.generate_tiles

Made from the standard's definitions (C2SP tlog-tiles) with the RFC's recursion, without the ledger's code. Entry i of
the log is `entry(i)`. Of every size there is the root, the number of tiles and bundles, and "listing": SHA-256 over
lines "<hex SHA-256 of the content> <path>\\n" in ascending order of paths (as ASCII); of small sizes the lines too.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.ledger.rfc6962 import split

FOLDER = Path(__file__).parent
SIZES = (0, 1, 2, 3, 255, 256, 257, 511, 512, 600, 65535, 65536, 65537, 70000)
LISTED = 600

PATHS = {
    "tile/0/000": [0, 0, 256],
    "tile/63/000": [63, 0, 256],
    "tile/0/000.p/1": [0, 0, 1],
    "tile/1/001.p/17": [1, 1, 17],
    "tile/10/999.p/255": [10, 999, 255],
    "tile/0/x001/000": [0, 1000, 256],
    "tile/0/x001/x234/067": [0, 1234067, 256],
    "tile/0/x001/x234/067.p/8": [0, 1234067, 8],
    "tile/0/x100/000": [0, 100000, 256],
    "tile/0/x001/x000/000": [0, 1000000, 256],
    "tile/entries/000": [-1, 0, 256],
    "tile/entries/273.p/112": [-1, 273, 112],
    "tile/entries/x001/234": [-1, 1234, 256],
    "tile/0/x036/x028/x797/x018/x963/967": [0, (1 << 55) - 1, 256],
}
NO_PATHS = [
    "", "tile", "tile/", "tile/0", "tile/0/", "/tile/0/000", "tile/0/000/", "tile//000", "tile/0/0", "tile/0/00",
    "tile/0/0000", "tile/00/000", "tile/01/000", "tile/64/000", "tile/-1/000", "tile/+1/000", "tile/100/000",
    "tile/0/x000", "tile/0/x000/000", "tile/0/x000/001", "tile/0/001/000", "tile/0/x001", "tile/0/x01/000",
    "tile/0/X001/000", "tile/0/x001/x000", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/01",
    "tile/0/000.p/256", "tile/0/000.p/257", "tile/0/000.p/1000", "tile/0/000.p/-1", "tile/0/000.p/1/",
    "tile/0/000.p/1.p/1", "tile/0/000.P/1", "tile/entry/000", "tile/Entries/000", "tile/data/000", "tile/8/0/000",
    "tile/0/000\n", " tile/0/000", "tile/0/\u0660\u0660\u0661", "tile/\u0661/000", "tile/0/../000",
    "tile/0/x036/x028/x797/x018/x963/968", "tile/0/x999/x999/x999/x999/x999/999",
    "tile/0/x001/x000/x000/x000/x000/x000/000", "checkpoint",
]  # fmt: skip


def entry(index: int) -> bytes:
    """Of various lengths, from 1 byte on."""
    return f"{index}".encode() * (1 + index % 7)


def path(level: str, number: int, width: int) -> str:
    digits = str(number)
    while len(digits) % 3:
        digits = "0" + digits
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join(["x" + part for part in parts[:-1]] + parts[-1:])
    return f"tile/{level}/{name}" + ("" if width == 256 else f".p/{width}")


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 6962's recursion from leaf hashes on."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"").digest()
    k = split(len(hashes))
    return sha256(b"\x01" + root_of(hashes[:k]) + root_of(hashes[k:])).digest()


class Log:
    """Its tiles by the definition. Hashes over 256^l entries are kept: they are the same at every size."""

    def __init__(self) -> None:
        self._hashes: dict[tuple[int, int], bytes] = {}

    def hash(self, level: int, number: int) -> bytes:
        """MTH(D[number * 256^level : (number + 1) * 256^level])."""
        if (level, number) not in self._hashes:
            if level == 0:
                found = sha256(b"\x00" + entry(number)).digest()
            else:
                found = root_of([self.hash(level - 1, number * 256 + place) for place in range(256)])
            self._hashes[level, number] = found
        return self._hashes[level, number]

    def root(self, size: int) -> bytes:
        return root_of([self.hash(0, index) for index in range(size)])

    def tiles(self, size: int) -> dict[str, bytes]:
        """By path."""
        found = {}
        for start in range(0, size, 256):
            entries = [entry(index) for index in range(start, min(start + 256, size))]
            bundle = b"".join(len(one).to_bytes(2, "big") + one for one in entries)
            found[path("entries", start // 256, len(entries))] = bundle
        level = 0
        while count := size // 256**level:
            for start in range(0, count, 256):
                stop = min(start + 256, count)
                hashes = b"".join(self.hash(level, number) for number in range(start, stop))
                found[path(str(level), start // 256, stop - start)] = hashes
            level += 1
        return found


def case(log: Log, size: int) -> dict[str, Any]:
    tiles = log.tiles(size)
    lines = [f"{sha256(tiles[path]).hexdigest()} {path}\n" for path in sorted(tiles)]
    facts = {"size": size, "root": log.root(size).hex(), "tiles": len(tiles)}
    return {
        **facts,
        "listing": sha256("".join(lines).encode()).hexdigest(),
        **({"lines": [line.rstrip("\n") for line in lines]} if size <= LISTED else {}),
    }


def content() -> str:
    """Of tiles.json."""
    log = Log()
    vectors = {
        "entry": "i in decimal, written 1 + i mod 7 times",
        "logs": [case(log, size) for size in SIZES],
        "paths": PATHS,
        "no_paths": NO_PATHS,
    }
    return json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (FOLDER / "tiles.json").write_text(content(), "utf-8")
