"""The store's twin in memory: for tests, for the seeded simulation, and for a log that is only read and checked.

It can fail on purpose: a write that is lost and one that is kept although it reported failure are different faults, and
whoever writes must survive both (log-formats, "What careful implementations of such logs do").
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from types import MappingProxyType
from typing import Any

from ledger.chain.store import Pair, Put, StoreConflict, prefix_end
from ledger.errors import Unready

_FEW = 64  # up to this many keys, inserting is quicker than sorting


class Fault(Enum):
    """How a write fails."""

    LOST = "failed, and nothing was kept"
    KEPT = "failed, but everything was kept"


class MemoryStore:
    """A `ledger.chain.store.Store` whose disk is a dictionary.

    faults: which writes fail and how, counted from 0 over the store's life (`writes` is the count so far).
    lock: guards writes; hand in a threading.Lock where several threads write. Readers need none: a write changes the
    dictionary in one step of the interpreter, and the sorted list of its keys is replaced, never changed.
    """

    def __init__(
        self,
        pairs: Mapping[bytes, bytes] = MappingProxyType({}),
        *,
        faults: Mapping[int, Fault] = MappingProxyType({}),
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        self._data = dict(pairs)
        self._keys = sorted(self._data)
        self._faults = faults
        self._lock = nullcontext() if lock is None else lock
        self._closed = False
        self.writes = 0

    def get(self, key: bytes) -> bytes | None:
        """See Store."""
        self._check_open()
        return self._data.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See Store."""
        self._check_open()
        return [self._data.get(key) for key in keys]

    def first_many(self, prefixes: Sequence[bytes]) -> list[Pair | None]:
        """See Store."""
        return [next(self.scan(prefix, prefix_end(prefix), limit=1), None) for prefix in prefixes]

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None) -> Iterator[Pair]:
        """See Store."""
        self._check_open()
        keys, data = self._keys, self._data
        found = keys[bisect_left(keys, start) : bisect_left(keys, stop)]
        if reverse:
            found.reverse()
        return iter([(key, data[key]) for key in (found if limit is None else found[:limit]) if key in data])

    def write(self, puts: Iterable[Put], *, sync: bool = True, expect: Put | None = None) -> None:
        """See Store. `sync` changes nothing here."""
        staged = dict(puts)
        with self._lock:
            self._check_open()
            if expect is not None and self._data.get(expect[0]) != expect[1]:
                raise StoreConflict
            fault = self._faults.get(self.writes)
            self.writes += 1
            if fault is not Fault.LOST:
                self._apply(staged)
        if fault is not None:
            raise Unready("STORE_FAILED", f"the write failed on purpose: {fault.value}")

    def close(self) -> None:
        """See Store."""
        self._closed = True

    def snapshot(self) -> dict[bytes, bytes]:
        """All pairs: the disk image to open again, or to damage."""
        return dict(self._data)

    def _apply(self, staged: Mapping[bytes, bytes | None]) -> None:
        live = {key: value for key, value in staged.items() if value is not None}
        new = sorted(live.keys() - self._data.keys())
        if len(live) == len(staged):
            self._data.update(live)
        else:
            kept = {key: value for key, value in self._data.items() if staged.get(key, value) is not None}
            self._data = kept | live
            self._keys = [key for key in self._keys if key in self._data]
        if new:
            self._keys = _merged(self._keys, new)

    def _check_open(self) -> None:
        if self._closed:
            raise Unready("STORE_CLOSED", "the store has been closed")


def _merged(keys: list[bytes], new: list[bytes]) -> list[bytes]:
    if len(new) > _FEW:
        return sorted(keys + new)
    merged = keys.copy()
    for key in new:
        insort(merged, key)
    return merged
