"""Where a custodian's secrets lie: one sealed file, kept out of backups (design section 5).

What a former version held (keys that open shares in the logs) is erased, as far as a file system lets one; what it may
keep all the same is sealed under the book key.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ledger.crypto.hashing import derive
from ledger.crypto.sealed import open_sealed, seal
from ledger.errors import NotFound
from ledger.homes import home
from node.homes.keyring import Keyring
from node.homes.replaced import Replaced

PURPOSE = "plimsoll/v1/custody"


class Place(Protocol):
    """Where the sealed state is put: see `Replaced`."""

    def read(self) -> bytes:
        """What was put there last. Raises NotFound."""

    def replace(self, content: bytes) -> None:
        """Puts this there instead."""

    def erase_former(self) -> None:
        """Destroys what was there before."""


class Vault:
    """`folder` is the home. Every method raises Unready where the file system fails."""

    def __init__(
        self,
        folder: Path,
        keyring: Keyring,
        consortium: bytes,
        rng: Callable[[int], bytes],
        place: Place | None = None,
    ) -> None:
        """place: instead of the home's own file."""
        self._place = place or Replaced(folder / home.CUSTODY)
        self._key = derive(keyring.book_key, "plimsoll/v1/custody-seal")
        self._context = (consortium, keyring.member)
        self._rng = rng

    def load(self) -> bytes | None:
        """The last state stored, None before the first. Raises Unverified where the file is damaged or not ours."""
        try:
            return open_sealed(self._key, PURPOSE, self._context, self._place.read())
        except NotFound:
            return None

    def store(self, state: bytes) -> None:
        """Puts `state` in place of the one before; durable when it returns."""
        self._place.erase_former()
        self._place.replace(seal(self._key, PURPOSE, self._context, state, self._rng))

    def erase_former(self) -> None:
        """Destroys what stood before the state last stored, and what a crash left of one that was never put there."""
        self._place.erase_former()
