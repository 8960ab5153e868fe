"""One log's folder of tiles: `checkpoint`, `witnessed` and `tile/..` (C2SP tlog-tiles).

Every file appears whole or not at all, and a checkpoint only once all that it speaks of is on disk: so the folder is
consistent at one checkpoint at every moment, whenever its writer is killed. What else may lie in it until the next run
are tiles of a later size, which no checkpoint speaks of, and partial tiles of the one before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ledger.chain.tree import TILE_WIDTH
from ledger.errors import InvalidInput
from ledger.tlog.note import MAX_NOTE_BYTES
from ledger.tlog.tiles import Tile

CHECKPOINT = "checkpoint"
WITNESSED = "witnessed"

_NEW = ".new"  # what is being written
_MAX_TILE = TILE_WIDTH * (2 + 65_535)
_SYNC_ALL = 256  # files from which on it is quicker to have the machine put everything on disk


class LogFolder:
    """A ledger.tlog.tiles.TileSource that can be written to. Raises OSError where the disk does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unsettled: list[Path] = []

    def read(self, tiles: Sequence[Tile]) -> list[bytes | None]:
        """See TileSource."""
        return [_read(self.path / tile.path, _MAX_TILE) for tile in tiles]

    def note(self, name: str) -> bytes | None:
        """The checkpoint, or the witnessed head; None where there is none."""
        return _read(self.path / name, MAX_NOTE_BYTES)

    def put(self, tile: Tile, raw: bytes) -> None:
        """Writes a tile; on disk by the next `publish`."""
        path = self.path / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + _NEW)
        new.write_bytes(raw)
        new.replace(path)
        self._unsettled.append(path)

    def publish(self, name: str, note: bytes) -> None:
        """Puts a note in the other one's place, after all that was written before is on disk."""
        self._settle()
        self.path.mkdir(parents=True, exist_ok=True)
        write_durably(self.path / name, note)

    def clean(self, size: int) -> None:
        """Removes what a log of this size does not have: what was left of another one, and of a run that was killed."""
        for path in list(self._files()):
            if path.name.endswith(_NEW) or not _belongs(path.relative_to(self.path).as_posix(), size):
                path.unlink()
                with suppress(OSError):  # a folder is removed with its last file
                    for folder in path.relative_to(self.path).parents[:-1]:
                        (self.path / folder).rmdir()

    def _files(self) -> Iterator[Path]:
        yield from self.path.glob(f"*{_NEW}")
        for folder, _, names in os.walk(self.path / "tile"):
            yield from (Path(folder, name) for name in names)

    def _settle(self) -> None:
        paths, self._unsettled = self._unsettled, []
        if len(paths) >= _SYNC_ALL:
            os.sync()
            return
        for path in paths:
            _sync(path)
        for folder in {parent for path in paths for parent in path.parents if parent.is_relative_to(self.path)}:
            _sync(folder)


def write_durably(path: Path, content: bytes) -> None:
    """Puts content at `path`, on disk when this returns: all of it or nothing. For all to read, unlike
    `client.cli.output.write_over`."""
    new = path.with_name(path.name + _NEW)
    new.write_bytes(content)
    _sync(new)
    new.replace(path)
    _sync(path.parent)


def _belongs(path: str, size: int) -> bool:
    try:
        return Tile.parse(path).belongs_to(size)
    except InvalidInput:
        return True  # no tile: not ours to remove


def _read(path: Path, limit: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(raw) > limit:
        raise InvalidInput("TOO_LARGE", f"this file has more than {limit} bytes", str(path))
    return raw


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
