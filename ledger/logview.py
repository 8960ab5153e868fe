"""What the protocol's readers need of a log; `ledger.log` and whatever stands in for it in tests provide it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ledger.selection import Readable


class LogView(Readable, Protocol):
    """One member's log as far as it is held here, every entry of it verified against a signed head."""

    @property
    def size(self) -> int:
        """How many entries are held."""

    def leaf_hash(self, index: int) -> bytes:
        """SHA-256(00 || entry)."""

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries."""

    def by_kind(self, kind: str, start: int = 0) -> Iterator[int]:
        """Indices of the entries of one kind from `start` on, ascending."""
