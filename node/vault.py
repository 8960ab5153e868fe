"""Where a custodian's secrets lie: one sealed file, kept out of backups (design section 5).

Its contents are replaced whole. What a former version held (keys that open shares in the logs) is overwritten with
zeros in its place; file systems that copy on write, and flash, may keep it all the same, sealed under the book key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ledger import home
from ledger.errors import NotFound
from ledger.hashing import derive
from ledger.sealed import open_sealed, seal
from node import files
from node.keyring import Keyring

PURPOSE = "plimsoll/v1/custody"


class Vault:
    """`folder` is the home. Every method raises Unready where the file system fails."""

    def __init__(self, folder: Path, keyring: Keyring, consortium: bytes, rng: Callable[[int], bytes]) -> None:
        self._path = folder / home.CUSTODY
        self._former = self._path.with_suffix(".former")
        self._key = derive(keyring.book_key, "plimsoll/v1/custody-seal")
        self._context = (consortium, keyring.member)
        self._rng = rng

    def load(self) -> bytes | None:
        """The last state stored, None before the first. Raises Unverified where the file is damaged or not ours."""
        try:
            return open_sealed(self._key, PURPOSE, self._context, files.read(self._path))
        except NotFound:
            return None

    def store(self, state: bytes) -> None:
        """Puts `state` in place of the one before; durable when it returns."""
        self.erase_former()
        with files.explained(self._path), suppress(FileNotFoundError):
            os.link(self._path, self._former)
        files.write_over(self._path, seal(self._key, PURPOSE, self._context, state, self._rng), files.PRIVATE)

    def erase_former(self) -> None:
        """Overwrites what stood before the state last stored, and what a crash left of one that was never put there."""
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
