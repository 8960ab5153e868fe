"""Both stores behind one handle, so that every promise is kept by each: open, close, open again on the same disk."""

from __future__ import annotations

from pathlib import Path

from ledger.memory_store import MemoryStore
from ledger.store import Store
from node.leveldb import LevelStore

KINDS = ("memory", "leveldb")


class Disk:
    """A place where a store's pairs outlive the store."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind = kind
        self._folder = folder
        self._store: Store | None = None

    def open(self) -> Store:
        """The store as a new process would find it; closes the one opened before."""
        before = self._store
        if before is not None:
            before.close()
        if self._kind == "leveldb":
            self._store = LevelStore(self._folder / "store")
        else:
            self._store = MemoryStore(before.snapshot() if isinstance(before, MemoryStore) else {})
        return self._store

    def close(self) -> None:
        """Closes what is open."""
        if self._store is not None:
            self._store.close()
