"""A log as far as its newest complete head goes.

Entries may be held beyond it, under a head whose other entries are still missing. They cannot be passed on, as nobody
else could verify them; so whoever spoke of them to others, in an inquiry for instance, could not be understood.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.chain.log import Log


class Covered:
    """A `ledger.chain.logview.LogView` of `log` whose size is that of the newest head held in full."""

    def __init__(self, log: Log) -> None:
        self._log = log

    @property
    def size(self) -> int:
        """How many entries can be shown to others."""
        return self._log.covered

    def entry(self, index: int) -> bytes:
        """See Log."""
        return self._log.entry(index)

    def find(self, label: bytes) -> int | None:
        """See Log."""
        return self._log.find(label)

    def leaf_hash(self, index: int) -> bytes:
        """See Log."""
        return self._log.leaf_hash(index)

    def root_at(self, size: int) -> bytes:
        """See Log."""
        return self._log.root_at(size)

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See Log."""
        return self._log.entries_by_kind(kind, start, stop)
