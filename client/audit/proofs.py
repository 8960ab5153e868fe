"""The proof of knowledge in every position, checked on all cores (docs/protocol.md, section 7)."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field

from client.audit.follower import Taken
from client.audit.report import Finding
from ledger import elgamal
from ledger.entries import Kind, file_entry
from ledger.errors import PlimsollError, Unverified
from ledger.group import Point
from ledger.keys import PublicKeys
from ledger.position_entry import PositionEntry

TASK_SIZE = 512


@dataclass(frozen=True, slots=True)
class Task:
    """Positions of one member: (index, entry) each; the keys they must be under, which are the same in all key epochs;
    and the newest of these."""

    consortium: bytes
    member: str
    newest: int
    fields: tuple[Point, ...]
    entries: tuple[tuple[int, bytes], ...] = field(repr=False)


def check(task: Task) -> list[Finding]:
    """The positions whose proof fails."""
    findings = []
    for index, entry in task.entries:
        try:
            _check_one(task, entry)
        except PlimsollError as error:
            findings.append(Finding.because(task.member, index, error))
    return findings


def _check_one(task: Task, entry: bytes) -> None:
    record = PositionEntry.parse(entry)
    if not 1 <= record.epoch <= task.newest:
        raise Unverified("WRONG_EPOCH", f"a position under keys of epoch {record.epoch}")
    if record.ciphertext is None:  # closed
        return
    elgamal.verify(record.ciphertext, task.fields, task.consortium, record.epoch, task.member, record.label)


class Pool:
    """Checks positions on all cores while they are read; a context manager. Holds a bounded number of tasks."""

    def __init__(self, consortium: bytes, keys: PublicKeys, newest: int, workers: int | None = None) -> None:
        """keys: of any epoch. newest: the last epoch that a manifest has begun."""
        self._newest = newest
        self._consortium = consortium
        self._keys = keys
        count = workers or os.cpu_count() or 1
        # Spawned, not forked (design section 10): a fork would copy the locks of gRPC's threads.
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(count, spawn, initializer=_leave_interrupts_to_the_parent)
        self._limit = 4 * count
        self._running: deque[Future[list[Finding]]] = deque()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def submit(self, member: str, taken: Taken) -> tuple[int, list[Finding]]:
        """Takes verified entries on; (how many of them are positions, what was found meanwhile)."""
        entries = [
            (index, entry)
            for index, entry in enumerate(taken.entries, taken.start)
            if file_entry(entry).code == Kind.POSITION
        ]
        findings: list[Finding] = []
        for start in range(0, len(entries), TASK_SIZE):
            part = tuple(entries[start : start + TASK_SIZE])
            task = Task(self._consortium, member, self._newest, self._keys.fields, part)
            self._running.append(self._pool.submit(check, task))
            if len(self._running) > self._limit:
                findings += self._running.popleft().result()
        return len(entries), findings

    def rest(self) -> Iterator[Finding]:
        """Waits for what is still under way."""
        while self._running:
            yield from self._running.popleft().result()


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
