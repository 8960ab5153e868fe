"""The files that audits leave for the next: what was seen (keeping.memory), and beside it what was found."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from client.audit.keeping import docket, memory
from client.audit.keeping.docket import Docket, Known
from client.audit.keeping.memory import Memory
from client.audit.report import Finding
from ledger.errors import InvalidInput, NotFound

Put = Callable[[Path, bytes], object]
"""Puts a file in place durably: all of it or nothing."""


class Keeping:
    """state: the file of what was seen; the findings lie in `<state>.findings`. None: nothing is kept beyond this
    process."""

    def __init__(self, state: Path | None, put: Put) -> None:
        self._state = state
        self._put = put
        self._docket: Docket | None = None
        self._last: Memory | None = None

    def last(self) -> Memory | None:
        """What the last audit saw. Raises InvalidInput for a file that is no state."""
        if self._state is not None and self._state.exists():
            self._last = memory.parse(self._state.read_bytes())
        return self._last

    def record(self, consortium: bytes, found: Iterable[Finding], now: int, *, whole: bool = True) -> Docket:
        """Takes an audit's findings in; what is known then. Raises InvalidInput for findings of another consortium."""
        with self._locked():
            before = self._read() or Docket(consortium, {})
            if before.consortium != consortium:
                raise InvalidInput("OTHER_CONSORTIUM", "the findings are of audits of another consortium", "state")
            after = before.after(found, now, whole=whole)
            self._write(after, before)
        return after

    def remember(self, seen: Memory) -> None:
        """Keeps what an audit saw. After `record`: if the process dies in between, what is wrong is found again."""
        self._last = seen
        if self._state is not None:
            self._put(self._state, seen.encode())

    def acknowledge(self, ids: Collection[str] | None, now: int) -> list[Known]:
        """Acknowledges these findings, or all. Raises NotFound where there is no such finding."""
        with self._locked():
            before = self._read()
            if before is None:
                raise NotFound("NO_FINDINGS", "no audit with this state has found anything", "state")
            after, chosen = before.acknowledge(ids, now)
            self._write(after, before)
        return chosen

    @property
    def _file(self) -> Path | None:
        return None if self._state is None else self._state.with_name(f"{self._state.name}.findings")

    def _read(self) -> Docket | None:
        """Anew each time: somebody may have acknowledged some."""
        if self._file is not None:
            return docket.parse(self._file.read_bytes()) if self._file.exists() else None
        return self._docket

    def _write(self, after: Docket, before: Docket) -> None:
        self._docket = after
        if self._file is not None and (after != before or after.known):
            self._put(self._file, after.encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time among processes: the file itself is replaced, so that the folder is locked in its place."""
        if self._state is None:
            yield
            return
        folder = os.open(self._state.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
