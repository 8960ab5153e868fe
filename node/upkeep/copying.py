"""Copies of files and stores that are checked as they are made, for backups."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from ledger.chain.store import Put
from node.homes import files
from node.upkeep.leveldb import LevelStore

_CHUNK = 1 << 20
_BATCH_BYTES = 4 << 20
_STEP = 1 << 16  # pairs between two words about progress
_EVERYTHING = (b"\x00", b"\xff" * 64)
#: What LevelDB keeps beside the data: nothing that a copy needs.
_NOT_DATA = ("LOCK", "LOG", "LOG.old")


def copy_store(source: LevelStore, target: Path) -> Iterator[int]:
    """All pairs of a store as they are at the first step, while it is written to, in a new store; yields how many."""
    batch: list[Put] = []
    size = copied = 0
    pairs = source.scan(*_EVERYTHING)
    files.make_folder(target)
    with closing(LevelStore(target, cache_mib=8)) as copy:
        for key, value in pairs:
            batch.append((key, value))
            size += len(key) + len(value)
            copied += 1
            if size >= _BATCH_BYTES:
                copy.write(batch, sync=False)
                batch, size = [], 0
            if copied % _STEP == 0:
                yield copied
        copy.write(batch, sync=True)
    yield copied


def drop_litter(folder: Path) -> None:
    """Removes what LevelDB leaves in a store's folder beside the data."""
    for name in _NOT_DATA:
        (folder / name).unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> tuple[int, str]:
    """A durable copy of mode 0600, in a folder that is made where absent; its size and SHA-256 in hex.

    Raises NotFound, Unready.
    """
    with files.explained(source):
        target.parent.mkdir(mode=files.PRIVATE_FOLDER, parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE)
        with source.open("rb") as reading, os.fdopen(descriptor, "wb") as writing:
            found = _hashed(reading, writing.write)
            writing.flush()
            os.fsync(writing.fileno())
    return found


def seal_file(path: Path) -> tuple[int, str]:
    """Gives a file that is there mode 0600 and makes it durable; its size and SHA-256 in hex."""
    with files.explained(path), path.open("rb") as reading:
        path.chmod(files.PRIVATE)
        found = _hashed(reading)
        os.fsync(reading.fileno())
    return found


def hash_file(path: Path) -> tuple[int, str]:
    """A file's size and SHA-256 in hex. Raises NotFound, Unready."""
    with files.explained(path), path.open("rb") as reading:
        return _hashed(reading)


def _hashed(reading: BinaryIO, also: Callable[[bytes], object] = len) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while chunk := reading.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        also(chunk)
    return size, digest.hexdigest()
