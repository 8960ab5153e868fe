"""The proof of knowledge in every position, checked on all cores (docs/protocol.md, section 7)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from client.audit.reading.follower import Taken
from client.audit.reading.workers import Workers
from client.audit.report import Finding
from ledger.chain.entries import Kind, file_entry
from ledger.crypto import elgamal
from ledger.crypto.group import Point
from ledger.errors import PlimsollError, Unverified
from ledger.keys import PublicKeys
from ledger.positions.position_entry import PositionEntry

TASK_SIZE = 512
#: The first so many are checked by this process: in the second that takes, another one would just have been started.
HERE = 1024
#: Bad positions of one member that are told one by one.
MAX_TOLD = 1000
MORE = "BAD_PROOF"


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


class Prover:
    """Has positions checked by the workers while they are read. Holds a bounded number of tasks."""

    def __init__(self, workers: Workers, consortium: bytes, keys: PublicKeys, newest: int) -> None:
        """keys: of any epoch. newest: the last epoch that a manifest has begun."""
        self._workers = workers
        self._newest = newest
        self._consortium = consortium
        self._keys = keys
        self._running: deque[Future[list[Finding]]] = deque()
        self._findings: list[Finding] = []
        self._told: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._here = HERE

    def submit(self, member: str, taken: Taken) -> int:
        """Takes verified entries on; how many of them are positions."""
        entries = [
            (index, entry)
            for index, entry in enumerate(taken.entries, taken.start)
            if file_entry(entry).code == Kind.POSITION
        ]
        for start in range(0, len(entries), TASK_SIZE):
            part = tuple(entries[start : start + TASK_SIZE])
            task = Task(self._consortium, member, self._newest, self._keys.fields, part)
            if self._here > 0:
                self._here -= len(part)
                self._take(check(task))
                continue
            self._running.append(self._workers.submit(check, task))
            if len(self._running) > self._workers.limit:
                self._take(self._running.popleft().result())
        return len(entries)

    def findings(self) -> list[Finding]:
        """Waits for what is still under way."""
        while self._running:
            self._take(self._running.popleft().result())
        more = (Finding(member, None, MORE, f"{count} further positions") for member, count in self._untold.items())
        return [*self._findings, *more]

    def _take(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._told[finding.member] += 1
            if self._told[finding.member] <= MAX_TOLD:
                self._findings.append(finding)
            else:
                self._untold[finding.member] += 1
