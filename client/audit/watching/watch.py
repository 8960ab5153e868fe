"""Auditing round after round. A round that fails because a node is away is told, and tried again later and later.

No clock and no I/O of its own: both are handed in, so that days of watching are tested in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from client.audit.keeping.docket import Docket, Known
from client.audit.keeping.keeping import Keeping
from client.audit.keeping.memory import Memory
from client.audit.report import Finding, Report
from ledger.errors import PlimsollError, Unverified

LONGEST = 900
"""Seconds between two tries at most, where rounds are not further apart anyway."""

Audit = Callable[[Memory | None], tuple[Report, Memory]]
"""One audit from what the last one saw; its report, and what it saw. Raises PlimsollError where none could be made."""


@dataclass(frozen=True, slots=True)
class Round:
    """outcome: ok, bad, incomplete; away: the audit could not be made. began: Unix seconds. seconds: how long it took.
    facts: the report with what was found before (keeping.docket), None if it broke off. error: why it broke off.
    failures: how many rounds in a row could not be made. pause: seconds until the next. open: what nobody has
    acknowledged, of this round and of earlier ones."""

    number: int
    outcome: str
    began: int
    seconds: float
    facts: Mapping[str, Any] | None
    error: PlimsollError | None
    failures: int
    pause: float
    open: tuple[Known, ...]

    def told(self) -> dict[str, Any]:
        """For programs."""
        error = self.error
        return {
            "round": self.number,
            "outcome": self.outcome,
            "time": self.began,
            "seconds": round(self.seconds, 3),
            "error": None if error is None else {"reason": error.reason, "message": error.message},
            "failures": self.failures,
            "pause": self.pause,
            "open": [known.facts() for known in self.open],
            "report": None if self.facts is None else dict(self.facts),
        }


@dataclass(frozen=True, slots=True)
class Clock:
    """now: Unix seconds. running: seconds of a clock that is never set."""

    now: Callable[[], float]
    running: Callable[[], float]


class Watch:
    """Audits of one consortium by one audit function, with what is kept between them."""

    def __init__(self, audit: Audit, keeping: Keeping, consortium: bytes, through: str, clock: Clock) -> None:
        """through: whose node is read, which a node that shows what cannot be is to answer for."""
        self._audit = audit
        self._keeping = keeping
        self._consortium = consortium
        self._through = through
        self._clock = clock
        self._number = 0
        self._failures = 0
        #: Of the last round that had one: ok, bad or incomplete; "" before.
        self.verdict = ""

    def rounds(self, interval: float, wait: Callable[[float], object]) -> Iterator[Round]:
        """For ever. interval: seconds from the end of one to the beginning of the next. Raises what is no failure of
        somebody else: where what is to be kept cannot be read or written."""
        while True:
            done = self.once(interval)
            yield done
            wait(done.pause)

    def once(self, interval: float = 0) -> Round:
        """One round. Raises as `rounds`."""
        self._number += 1
        began, running = int(self._clock.now()), self._clock.running()
        last = self._keeping.last()
        try:
            report, seen = self._audit(last)
        except PlimsollError as error:
            return self._broken_off(error, began, self._clock.running() - running, interval)
        docket = self._keeping.record(report.consortium, report.findings, began, whole=report.is_whole)
        self._keeping.remember(seen)
        facts, self._failures = docket.extend(report.facts()), 0
        self.verdict = facts["verdict"]
        spent = self._clock.running() - running
        return Round(self._number, self.verdict, began, spent, facts, None, 0, interval, _open(docket))

    def _broken_off(self, error: PlimsollError, began: int, spent: float, interval: float) -> Round:
        found = []
        if isinstance(error, Unverified):  # the node shows what cannot be; all else may be well tomorrow
            found.append(Finding.because(self._through, None, error))
        docket = self._keeping.record(self._consortium, found, began, whole=False)
        left = _open(docket)
        self._failures += 1
        pause = min(interval * 2 ** min(self._failures - 1, 16), max(interval, LONGEST))
        outcome = "bad" if found and left else "away"
        self.verdict = "bad" if left else self.verdict
        return Round(self._number, outcome, began, spent, None, error, self._failures, pause, left)


def _open(docket: Docket) -> tuple[Known, ...]:
    return tuple(known for known in docket.known.values() if known.acknowledged is None)
