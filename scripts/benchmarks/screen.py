"""Whole portfolios: answers a second in one stream, against what their arithmetic allows; and what it gains that the
pseudonym keys of unknown borrowers are obtained for many at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle

from plimsoll.v1 import entry_pb2, lender_pb2

from client.sdk import exposure_request
from scripts.benchmarks.figure import Figure, Yardstick
from scripts.benchmarks.measure import alternate, paired, rate
from scripts.benchmarks.query import ARITHMETIC
from scripts.benchmarks.sodium import Calls
from scripts.benchmarks.stage import Stage, borrower
from tests.cluster import CONSENT

#: As many calls of one question each as a stream has under way.
CALLERS = 16
#: Of a pseudonym key among many: in the asker blinding, unblinding, combining three and checking their proofs (two
#: composites each); in each of three custodians the evaluation and one composite.
KEY = Calls(base=0, other=2 + 3 + 3 * 2 + 3 * (1 + 1), additions=3 + 3 * 2 + 3)
_MS = 1000.0


def run(stage: Stage) -> list[Figure]:
    """Five nodes, t = 3. Known borrowers are at five lenders, the asker included; unknown ones at none."""
    return _Screening(stage).run()


class _Screening:
    """lender-1 screens."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._session = stage.cluster.lender(stage.cluster.members[0])
        self._known: Iterator[str] = (borrower(number) for number in cycle(range(1, stage.borrowers + 1)))
        self._unknown: Iterator[str] = (f"test:8{number:06d}" for number in count())

    def run(self) -> list[Figure]:
        """By turns: the stream, single calls, and the arithmetic on all cores."""
        size, rounds = self._stage.pick(120, 12), self._stage.pick(5, 1)
        self._stage.say(f"{rounds} laps of {size} borrowers, known and unknown, in a stream and in single calls")
        cores = os.cpu_count() or 1
        laps = alternate(
            {
                "stream": lambda: self._stream(self._known, size),
                "calls": lambda: self._calls(self._known, size),
                "unknown in a stream": lambda: self._stream(self._unknown, size),
                "unknown in calls": lambda: self._calls(self._unknown, size),
                "arithmetic": lambda: lambda: _on_all(cores, ARITHMETIC, size // 2),
                "keys": lambda: lambda: _on_all(cores, KEY, size // 2),
            },
            rounds,
        )
        rates = {name: rate(each) for name, each in laps.items()}
        bare = Yardstick(
            "its arithmetic, bare, all cores", rates["arithmetic"], paired(laps["stream"], laps["arithmetic"])
        )
        calls = Yardstick(
            f"{CALLERS} callers of one question each", rates["calls"], paired(laps["stream"], laps["calls"])
        )
        unknown = Yardstick(
            f"{CALLERS} callers of one question each",
            rates["unknown in calls"],
            paired(laps["unknown in a stream"], laps["unknown in calls"]),
        )
        spent, least = self._cores(size), _spent(ARITHMETIC, size // 2)
        work = Yardstick("its arithmetic, bare", least, spent / least)
        details = {"keys a second, bare, all cores": rates["keys"]}
        return [
            Figure("portfolio, keys in the book", rates["stream"], "answers/s", yardsticks=[bare, calls]),
            Figure("portfolio, all nodes' cores an answer", spent, "ms", yardsticks=[work]),
            Figure(
                "portfolio, nobody known",
                rates["unknown in a stream"],
                "answers/s",
                yardsticks=[unknown],
                details=details,
            ),
        ]

    def _cores(self, size: int) -> float:
        """Milliseconds that all nodes' processes work for an answer, however busy the machine is."""
        before = self._stage.cpu()
        self._stream(self._known, size)()
        return _MS * (self._stage.cpu() - before) / size

    def _stream(self, borrowers: Iterator[str], size: int) -> Callable[[], int]:
        requests = [lender_pb2.AssessmentsRequest(id=number, request=_case(next(borrowers))) for number in range(size)]

        def screen() -> int:
            answered = sum(answer.HasField("response") for answer in self._session.assessments(requests))
            if answered != size:
                raise RuntimeError(f"only {answered} of {size} questions were answered")
            return size

        return screen

    def _calls(self, borrowers: Iterator[str], size: int) -> Callable[[], int]:
        requests = [_case(next(borrowers)) for _ in range(size)]

        def ask() -> int:
            with ThreadPoolExecutor(CALLERS) as callers:
                return len(list(callers.map(self._session.assess, requests)))

        return ask


def _case(name: str) -> lender_pb2.AssessRequest:
    question = exposure_request(name, entry_pb2.PURPOSE_POST_LOAN, CONSENT)
    return lender_pb2.AssessRequest(question=question, income=2_000_000)


def _on_all(cores: int, calls: Calls, times: int) -> int:
    """On every core at once: libsodium is called without the interpreter's lock."""
    share = max(1, times // cores)
    with ThreadPoolExecutor(cores) as threads:
        return sum(threads.map(lambda _: calls.make(share), range(cores)))


def _spent(calls: Calls, times: int) -> float:
    """Milliseconds of a core for making them once."""
    before = time.thread_time()
    calls.make(times)
    return _MS * (time.thread_time() - before) / times
