"""The store on LevelDB: one directory, one process (design section 10). The contract is ledger.store's.

LevelDB syncs its write-ahead log; writes of several threads that wait at the same time share one sync. Once a write has
failed, its log may end in half a record, and LevelDB would go on behind it and drop what follows when it recovers. So
after a failure this store takes no more writes: opening it again cuts the log at the last whole record.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import plyvel

from ledger.errors import PlimsollError, Unready, Unverified
from ledger.store import Pair, Put, StoreConflict

MIB = 1 << 20

_BLOOM_BITS = 10  # a bit over 1 % false positives
# Replication writes each byte 2.6 times with buffers of 64 MiB, 4 to 5 times with 16 MiB. There are at most two.
_WRITE_BUFFER = 64 * MIB
_FILE_SIZE = 16 * MIB  # LevelDB keeps a thousand files open, so 16 GB before it must close some


class LevelStore:
    """A `ledger.store.Store` in a directory, created where absent (its parent must exist).

    cache_mib: block cache, MiB. Raises Unready where another process has it open, the disk is full or the directory
    cannot be used, Unverified where the files are damaged.
    """

    def __init__(self, path: Path, *, cache_mib: int = 64) -> None:
        self._path = path
        with self._translated():
            self._db = plyvel.DB(
                os.fspath(path),
                create_if_missing=True,
                paranoid_checks=True,  # a damaged write-ahead log is an error, not a shorter history
                compression=None,  # ciphertext and hashes do not shrink
                bloom_filter_bits=_BLOOM_BITS,
                lru_cache_size=cache_mib * MIB,
                write_buffer_size=_WRITE_BUFFER,
                max_file_size=_FILE_SIZE,
            )
        #: By key named in `expect`: held from the comparison to the end of the write. One a log, so few.
        self._guards: dict[bytes, threading.Lock] = {}
        #: Set for good when a write has failed.
        self._failed = False

    def get(self, key: bytes) -> bytes | None:
        """See Store."""
        with self._translated():
            return self._get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See Store."""
        with self._translated():
            return [self._get(key) for key in keys]

    def first_many(self, prefixes: Sequence[bytes]) -> list[Pair | None]:
        """See Store. One iterator serves all: making one costs more than a search."""
        found: list[Pair | None] = [None] * len(prefixes)
        with self._translated(), closing(self._db.raw_iterator(verify_checksums=True)) as cursor:
            for number in sorted(range(len(prefixes)), key=prefixes.__getitem__):
                cursor.seek(prefixes[number])
                if cursor.valid() and cursor.key().startswith(prefixes[number]):
                    found[number] = cursor.item()
        return found

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None) -> Iterator[Pair]:
        """See Store."""
        with self._translated():
            pairs = self._db.iterator(start=start, stop=stop, reverse=reverse, verify_checksums=True)
        return self._taken(pairs, limit)

    def write(self, puts: Iterable[Put], *, sync: bool = True, expect: Put | None = None) -> None:
        """See Store."""
        with self._translated():
            batch = self._db.write_batch(sync=sync)
        put, delete = batch.put, batch.delete
        for key, value in puts:
            if value is None:
                delete(key)
            else:
                put(key, value)
        guard = nullcontext() if expect is None else self._guards.setdefault(expect[0], threading.Lock())
        with guard:
            self._check_writable()
            if expect is not None and self.get(expect[0]) != expect[1]:
                raise StoreConflict
            try:
                with self._translated():
                    batch.write()
            except BaseException:
                self._failed = True
                raise

    def close(self) -> None:
        """See Store."""
        self._db.close()

    def _get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._db.get(key, verify_checksums=True)
        return value

    def _taken(self, pairs: Iterator[Pair], limit: int | None) -> Iterator[Pair]:
        with self._translated(), closing(pairs):  # type: ignore[type-var]
            if limit is None:
                yield from pairs
            else:
                for _, pair in zip(range(limit), pairs, strict=False):
                    yield pair

    def _check_writable(self) -> None:
        if self._failed:
            raise Unready("STORE_FAILED", f"an earlier write to {self._path} failed; it must be opened again")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (plyvel.Error, RuntimeError) as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> PlimsollError:
        why = _text(error)
        if isinstance(error, RuntimeError):
            if self._db.closed:
                return Unready("STORE_CLOSED", f"the store {self._path} has been closed")
            raise error
        if isinstance(error, plyvel.CorruptionError) or "orruption" in why:
            return Unverified("STORE_CORRUPT", f"the store {self._path} is damaged: {why}")
        if "/LOCK: " in why and ("already held" in why or os.strerror(errno.EAGAIN) in why):
            return Unready("STORE_IN_USE", f"the store {self._path} is open in another process")
        if os.strerror(errno.ENOSPC) in why or os.strerror(errno.EDQUOT) in why:
            return Unready("DISK_FULL", f"no space is left for the store {self._path}; free some and start again")
        return Unready("STORE_FAILED", f"the store {self._path} does not work: {why}")


def _text(error: Exception) -> str:
    """LevelDB's message: plyvel hands over its bytes."""
    raw = error.args[0] if error.args else b""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
