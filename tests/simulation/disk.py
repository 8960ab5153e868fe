"""A machine's disk: what is on it, what a loss of power leaves of it, and how it fails.

A synced write is there after a crash, with all writes before it; of those since, a first part may be. A write that
fails may have been kept all the same (ledger.chain.store).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from ledger.chain.memory_store import MemoryStore
from ledger.chain.store import Pair, Put, StoreConflict
from ledger.errors import NotFound, PlimsollError, Unready

T = TypeVar("T")
Image = dict[bytes, bytes]


class Faults:
    """When the disk of a node fails, and when its power is cut in the middle of a write."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.error_rate = 0.0
        #: Writes until the power is cut; None: it stays.
        self.cut_after: int | None = None
        #: Told when the power is cut.
        self.cut: Callable[[], object] = lambda: None

    def around(self, write: Callable[[], T], failed: Callable[[], PlimsollError]) -> T:
        """write(), or a fault before or after it."""
        if self.cut_after is not None:
            self.cut_after -= 1
            if self.cut_after < 0:
                self.cut_after = None
                if self._rng.random() < 0.5:
                    write()
                self.cut()
                raise failed()
        if self.error_rate and self._rng.random() < self.error_rate:
            if self._rng.random() < 0.5:
                write()
            raise failed()
        return write()


class Disk:
    """One store's part of a disk. `open` gives the store; `power_off` is a crash of its machine."""

    def __init__(self, faults: Faults, rng: random.Random, image: Image | None = None) -> None:
        self.faults = faults
        self._rng = rng
        self._store = MemoryStore(image or {})
        #: What undoes each write since the last sync, oldest first.
        self._unsynced: list[dict[bytes, bytes | None]] = []
        self._opened: DiskStore | None = None
        #: Says that it has synced, and has not.
        self.lies = False

    def open(self) -> DiskStore:
        """The store, for a process that starts."""
        self._opened = DiskStore(self)
        return self._opened

    def power_off(self) -> None:
        """Whoever has the store open reaches it no more; of what was not synced a first part is kept."""
        if self._opened is not None:
            self._opened.close()
        kept = self._rng.randint(0, len(self._unsynced))
        while len(self._unsynced) > kept:
            self._store.write(self._unsynced.pop().items())
        self._unsynced.clear()

    def image(self) -> Image:
        """All pairs, durable or not."""
        return self._store.snapshot()

    def is_durable(self, key: bytes) -> bool:
        """Whether what the key now says would survive."""
        return not any(key in undo for undo in self._unsynced)

    @property
    def raw(self) -> MemoryStore:
        """What is on it, for checks."""
        return self._store

    def write(self, puts: Iterable[Put], sync: bool, expect: Put | None) -> None:
        staged = dict(puts)
        if expect is not None and self._store.get(expect[0]) != expect[1]:
            raise StoreConflict
        self.faults.around(lambda: self._apply(staged, sync), lambda: Unready("STORE_FAILED", "the disk failed"))

    def _apply(self, staged: dict[bytes, bytes | None], sync: bool) -> None:
        if sync and not self.lies:
            self._unsynced.clear()
        else:
            self._unsynced.append({key: self._store.get(key) for key in staged})
        self._store.write(staged.items())


class DiskStore:
    """A `ledger.chain.store.Store` as one process has it open."""

    def __init__(self, disk: Disk) -> None:
        self._disk: Disk | None = disk

    def get(self, key: bytes) -> bytes | None:
        return self._open.raw.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return self._open.raw.get_many(keys)

    def first_many(self, prefixes: Sequence[bytes]) -> list[Pair | None]:
        return self._open.raw.first_many(prefixes)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None) -> Iterator[Pair]:
        return self._open.raw.scan(start, stop, reverse=reverse, limit=limit)

    def write(self, puts: Iterable[Put], *, sync: bool = True, expect: Put | None = None) -> None:
        self._open.write(puts, sync, expect)

    def close(self) -> None:
        self._disk = None

    @property
    def _open(self) -> Disk:
        if self._disk is None:
            raise Unready("STORE_CLOSED", "the store has been closed")
        return self._disk


class Drawer:
    """The file of a vault (node.vault.Replaced) on such a disk. former: what stood there before, not yet erased."""

    def __init__(self, faults: Faults, content: bytes | None = None) -> None:
        self.faults = faults
        self.content = content
        self.former: list[bytes] = []
        self.locked = False

    def read(self) -> bytes:
        if self.content is None:
            raise NotFound("NO_FILE", "there is no such file")
        return self.content

    def replace(self, content: bytes) -> None:
        self._write(lambda: self._put(content))

    def erase_former(self) -> None:
        self._write(self.former.clear)

    def _put(self, content: bytes) -> None:
        if self.content is not None:
            self.former.append(self.content)
        self.content = content

    def _write(self, change: Callable[[], None]) -> None:
        if self.locked:
            raise Unready("FILE_SYSTEM", "the machine is off")
        self.faults.around(change, lambda: Unready("FILE_SYSTEM", "the disk failed"))
