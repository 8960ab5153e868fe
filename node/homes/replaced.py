"""A small file whose contents are replaced whole, and what it held before overwritten with zeros in its place.

File systems that copy on write, and flash, may keep the former contents all the same.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from node.homes import files


class Replaced:
    """Methods raise Unready where the file system fails, and NotFound where a file to be read is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._former = path.with_suffix(".former")

    def read(self) -> bytes:
        """The contents last put there."""
        return files.read(self._path)

    def replace(self, content: bytes) -> None:
        """Puts `content` in place of what there was; durable when it returns. That is kept until `erase_former`."""
        with files.explained(self._path), suppress(FileNotFoundError):
            os.link(self._path, self._former)
        files.write_over(self._path, content, files.PRIVATE)

    def erase_former(self) -> None:
        """Overwrites what was replaced, and what a crash left of contents that were never put there."""
        with files.explained(self._former):
            left = [self._former, *self._path.parent.glob(f".{self._path.name}.*")]
            for former in left:
                with suppress(FileNotFoundError):
                    self._erase(former)
            files.sync_folder(self._path.parent)

    def _erase(self, former: Path) -> None:
        if self._path.exists() and former.samefile(self._path):  # a crash fell between link and replacement
            former.unlink()
            return
        with former.open("r+b") as file:
            file.write(bytes(os.fstat(file.fileno()).st_size))
            file.flush()
            os.fsync(file.fileno())
        former.unlink()
