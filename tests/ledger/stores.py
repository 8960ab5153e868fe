"""Both stores behind one handle, so that every promise is kept by each: open, close, open again on the same disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ledger.chain.memory_store import Fault, MemoryStore
from ledger.chain.store import Put, Store
from ledger.errors import Unready
from node.upkeep.leveldb import LevelStore

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


class Faulty:
    """A store whose writes fail as told; like LevelDB, it takes no more of them then."""

    def __init__(self, inner: Store, faults: Mapping[int, Fault]) -> None:
        self._inner = inner
        self._faults = faults
        self._failed = False
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, puts: Iterable[Put], *, sync: bool = True, expect: Put | None = None) -> None:
        """See Store."""
        fault = self._faults.get(self.writes)
        self.writes += 1
        if self._failed:
            raise Unready("STORE_FAILED", "a write has failed on purpose before")
        if fault is not Fault.LOST:
            self._inner.write(puts, sync=sync, expect=expect)
        if fault is not None:
            self._failed = True
            raise Unready("STORE_FAILED", fault.value)
