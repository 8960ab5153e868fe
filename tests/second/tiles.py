"""Section 22, tiles: their paths, their bytes, and bundles."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.second import merkle
from tests.second.refusal import require

WIDTH = 256


def path(level: int, number: int, width: int) -> str:
    """Level -1 is that of the entries."""
    digits = str(number)
    digits = "0" * (-len(digits) % 3) + digits
    elements = re.findall("...", digits)
    name = "".join(f"x{element}/" for element in elements[:-1]) + elements[-1]
    return f"tile/{'entries' if level < 0 else level}/{name}" + (f".p/{width}" if width < WIDTH else "")


def read_path(text: str) -> tuple[int, int, int]:
    """(level, number, width)."""
    found = re.fullmatch(r"tile/(entries|[0-9]+)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]+))?", text, re.ASCII)
    require(found, "BAD_TILE_PATH")
    assert found is not None
    level = -1 if found[1] == "entries" else int(found[1])
    number = int(re.sub("[x/]", "", found[2]))
    width = int(found[3] or WIDTH)
    # A log has fewer than 2^63 entries.
    require(level <= 63 and number < 1 << 55 and 1 <= width <= WIDTH, "BAD_TILE_PATH")
    require(path(level, number, width) == text, "BAD_TILE_PATH", "spelt in another way")
    return level, number, width


def tiles(entries: Sequence[bytes]) -> dict[str, bytes]:
    """Every file of a log, by its path."""
    found = {}
    for start in range(0, len(entries), WIDTH):
        part = entries[start : start + WIDTH]
        found[path(-1, start // WIDTH, len(part))] = b"".join(len(one).to_bytes(2, "big") + one for one in part)
    hashes, level = [merkle.leaf_hash(entry) for entry in entries], 0
    while hashes:
        rows = [hashes[start : start + WIDTH] for start in range(0, len(hashes), WIDTH)]
        found |= {path(level, number, len(row)): b"".join(row) for number, row in enumerate(rows)}
        hashes, level = [merkle.root(row) for row in rows if len(row) == WIDTH], level + 1
    return found


def read_bundle(raw: bytes, width: int) -> list[bytes]:
    entries = []
    while raw:
        length = int.from_bytes(raw[:2], "big")
        require(length and len(raw) >= 2 + length, "BAD_BUNDLE")
        entries.append(raw[2 : 2 + length])
        raw = raw[2 + length :]
    require(len(entries) == width, "BAD_BUNDLE")
    return entries
