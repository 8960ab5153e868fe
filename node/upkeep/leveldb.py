"""The store on LevelDB: one directory, one process (design section 10). The contract is ledger.chain.store's.

LevelDB syncs its write-ahead log; writes of several threads that wait at the same time share one sync. Once a write has
failed, its log may end in half a record, and LevelDB would go on behind it and drop what follows when it recovers. So
after a failure this store takes no more writes: opening it again cuts the log at the last whole record, and makes
durable what is left. Where a full disk was the cause, the store opens itself again at the first write for which there
is room; for any other cause a person has to look.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import plyvel

from ledger.chain.store import Pair, Put, StoreConflict
from ledger.errors import PlimsollError, Unready, Unverified
from node.upkeep.door import Door

MIB = 1 << 20

_BLOOM_BITS = 10  # a bit over 1 % false positives
# Replication writes each byte 2.6 times with buffers of 64 MiB, 4 to 5 times with 16 MiB. There are at most two.
_WRITE_BUFFER = 64 * MIB
_FILE_SIZE = 16 * MIB  # LevelDB keeps a thousand files open, so 16 GB before it must close some
_SCANNED_FIRST, _SCANNED_MOST = 4, 64  # pairs of a scan read at a time


class LevelStore:
    """A `ledger.chain.store.Store` in a directory, created where absent (its parent must exist).

    cache_mib: block cache, MiB. reserve_mib: nothing is written where less than this is free on the disk, so that
    LevelDB's own housekeeping, and the rest of the machine, do not run into its end. Raises Unready where another
    process has it open, the disk is full or the directory cannot be used, Unverified where the files are damaged.
    """

    def __init__(self, path: Path, *, cache_mib: int = 64, reserve_mib: int = 0) -> None:
        self._path = path
        self._cache_mib = cache_mib
        self._reserve = reserve_mib * MIB
        self._door = Door()
        #: By key named in `expect`: held from the comparison to the end of the write. One a log, so few.
        self._guards: dict[bytes, threading.Lock] = {}
        #: Why a write has failed, until the store is opened again.
        self._failure: PlimsollError | None = None
        #: By thread, when the write began that it waits for; monotonic.
        self._writing: dict[int, float] = {}
        #: How many synced writes there were, and the seconds they took together; for monitoring, so not guarded.
        self.syncs, self.sync_seconds = 0, 0.0
        self._closed = False
        #: Whether opening the store again has failed half way, so that there is nothing to read from.
        self.is_shut = False
        self._using = _Using(self, self._door)
        self._db: Any = None
        try:
            self._db = self._open()
        except (plyvel.Error, RuntimeError) as error:
            raise self.refusal(error) from error

    def get(self, key: bytes) -> bytes | None:
        """See Store."""
        with self._using:
            return self._get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See Store."""
        with self._using:
            return [self._get(key) for key in keys]

    def first_many(self, prefixes: Sequence[bytes]) -> list[Pair | None]:
        """See Store. One iterator serves all: making one costs more than a search."""
        found: list[Pair | None] = [None] * len(prefixes)
        with self._using, closing(self._db.raw_iterator(verify_checksums=True)) as cursor:
            for number in sorted(range(len(prefixes)), key=prefixes.__getitem__):
                cursor.seek(prefixes[number])
                if cursor.valid() and cursor.key().startswith(prefixes[number]):
                    found[number] = cursor.item()
        return found

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None) -> Iterator[Pair]:
        """See Store."""
        with self._using:
            pairs = self._db.iterator(start=start, stop=stop, reverse=reverse, verify_checksums=True)
            return self._taken(self._db, pairs, limit)

    def write(self, puts: Iterable[Put], *, sync: bool = True, expect: Put | None = None) -> None:
        """See Store. Raises Unready (DISK_FULL) where the disk has not room enough; nothing is written then."""
        self.check_writable()
        with self._using:
            db = self._db
            batch = db.write_batch(sync=sync)
        put, delete = batch.put, batch.delete
        for key, value in puts:
            if value is None:
                delete(key)
            else:
                put(key, value)
        guard = nullcontext() if expect is None else self._guards.setdefault(expect[0], threading.Lock())
        with guard, self._using:
            if self._failure is not None or self._db is not db:
                raise self._failure or self._not_written()
            if expect is not None and self._get(expect[0]) != expect[1]:
                raise StoreConflict
            begun = self._writing[threading.get_ident()] = time.monotonic()
            try:
                batch.write()
                if sync:
                    self.syncs, self.sync_seconds = self.syncs + 1, self.sync_seconds + time.monotonic() - begun
            except BaseException as error:
                self._failure = self.refusal(error) if isinstance(error, Exception) else self._not_written()
                raise
            finally:
                del self._writing[threading.get_ident()]

    @property
    def name(self) -> str:
        """Of its directory."""
        return self._path.name

    @property
    def waiting(self) -> float:
        """Seconds since the oldest of the writes began that the disk has not taken yet; 0 where there is none."""
        return max((time.monotonic() - begun for begun in list(self._writing.values())), default=0.0)

    def check_writable(self) -> None:
        """Whether writes are taken. Opens the store again where a full disk had made one fail and there is room now.

        Raises Unready: DISK_FULL, or STORE_FAILED.
        """
        failure = self._failure
        if failure is not None and failure.reason != "DISK_FULL":
            raise self._not_written()
        needed = self._reserve + (self._unfiled() if failure is not None else 0)
        if self.free_bytes() < needed:
            raise Unready("DISK_FULL", f"{needed // MIB} MiB must be free on the disk of {self._path} for writes")
        if failure is not None:
            self._reopen()

    def free_bytes(self) -> int:
        """Room on the store's disk."""
        disk = os.statvfs(self._path)
        return disk.f_bavail * disk.f_frsize

    def close(self) -> None:
        """See Store. Waits for calls under way."""
        with self._door.shut():
            self._closed = True
            self._db.close()

    def _open(self) -> Any:
        return plyvel.DB(
            os.fspath(self._path),
            create_if_missing=True,
            paranoid_checks=True,  # a damaged write-ahead log is an error, not a shorter history
            compression=None,  # ciphertext and hashes do not shrink
            bloom_filter_bits=_BLOOM_BITS,
            lru_cache_size=self._cache_mib * MIB,
            write_buffer_size=_WRITE_BUFFER,
            max_file_size=_FILE_SIZE,
        )

    def _reopen(self) -> None:
        """Reading goes on as soon as this has succeeded or failed; scans under way then end with an error."""
        with self._door.shut():
            if self._failure is None or self._closed:
                return
            self.is_shut = True
            self._db.close()
            try:
                self._db = self._open()
            except (plyvel.Error, RuntimeError) as error:
                raise self.refusal(error) from error
            self.is_shut = False
            self._failure = None

    def open_again(self) -> None:
        """For reading, where `is_shut`."""
        failure = self._failure
        if failure is not None and self.free_bytes() < self._unfiled():
            raise failure
        self._reopen()

    def _unfiled(self) -> int:
        """Bytes that opening the store again turns from write-ahead logs into tables, and some for its catalogue."""
        return MIB + sum(log.stat().st_size for log in self._path.glob("*.log"))

    def _get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._db.get(key, verify_checksums=True)
        return value

    def _taken(self, db: Any, pairs: Iterator[Pair], limit: int | None) -> Iterator[Pair]:
        """The pairs, read a few at a time: a caller may rest between two, and must not keep the store open by it."""
        wanted = pairs if limit is None else islice(pairs, limit)
        size = _SCANNED_FIRST
        with closing(pairs):  # type: ignore[type-var]
            while True:
                with self._using:
                    if self._db is not db:
                        raise Unready("STORE_REOPENED", f"the store {self._path} was opened anew; read again")
                    some = list(islice(wanted, size))
                yield from some
                if len(some) < size:
                    return
                size = _SCANNED_MOST

    def _not_written(self) -> PlimsollError:
        return Unready("STORE_FAILED", f"an earlier write to {self._path} failed; it must be opened again")

    def refusal(self, error: Exception) -> PlimsollError:
        """An error of plyvel's in our terms; one that is none of its is raised."""
        why = _text(error)
        if isinstance(error, RuntimeError):
            if self._closed:
                return Unready("STORE_CLOSED", f"the store {self._path} has been closed")
            raise error
        if isinstance(error, plyvel.CorruptionError) or "orruption" in why:
            return Unverified("STORE_CORRUPT", f"the store {self._path} is damaged: {why}")
        if "/LOCK: " in why and ("already held" in why or os.strerror(errno.EAGAIN) in why):
            return Unready("STORE_IN_USE", f"the store {self._path} is open in another process")
        if os.strerror(errno.ENOSPC) in why or os.strerror(errno.EDQUOT) in why:
            return Unready("DISK_FULL", f"no space is left for the store {self._path}")
        return Unready("STORE_FAILED", f"the store {self._path} does not work: {why}")


class _Using:
    """Inside the store's door, and what plyvel raises there in our terms. It has no state, so one serves all."""

    def __init__(self, store: LevelStore, door: Door) -> None:
        self._store = store
        self._enter, self._leave = door.enter, door.leave

    def __enter__(self) -> None:
        self._enter()
        if self._store.is_shut:
            self._leave()
            self._store.open_again()
            self._enter()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._leave()
        if error is not None and isinstance(error, plyvel.Error | RuntimeError):
            raise self._store.refusal(error) from error


def _text(error: Exception) -> str:
    """LevelDB's message: plyvel hands over its bytes."""
    raw = error.args[0] if error.args else b""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
