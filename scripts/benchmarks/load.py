"""What else goes on while something is measured: questions and feeds from a process of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Any

from plimsoll.v1 import entry_pb2

from client.credentials import Endpoint
from client.sdk import Session
from scripts.benchmarks.stage import borrower, feed
from tests.cluster import CONSENT, batched

_START = 60.0
_SPAWN = get_context("spawn")


class Load:
    """What a background process has done so far."""

    def __init__(self, done: Synchronized[int]) -> None:
        self._done = done
        self._before, self._started = done.value, time.perf_counter()

    @property
    def rate(self) -> float:
        """Questions answered, or positions published, a second since the load was started."""
        return (self._done.value - self._before) / (time.perf_counter() - self._started)


@contextmanager
def questions(endpoints: Sequence[Endpoint], streams: int, borrowers: int) -> Iterator[Load]:
    """So many callers, spread over the lenders, each asking its next question when the last one is answered."""
    with _running(_ask, endpoints, streams, borrowers) as load:
        yield load


@contextmanager
def feeds(endpoint: Endpoint, borrowers: int, seconds: float = 0.0) -> Iterator[Load]:
    """A feed in which everything has changed, again and again, not more often than every so many seconds."""
    with _running(_feed, endpoint, borrowers, seconds) as load:
        yield load


@contextmanager
def _running(target: Any, *arguments: Any) -> Iterator[Load]:
    under_way, stop, done = _SPAWN.Event(), _SPAWN.Event(), _SPAWN.Value("q", 0)
    process = _SPAWN.Process(target=target, args=(under_way, stop, done, *arguments))
    process.start()
    try:
        if not under_way.wait(_START):
            raise RuntimeError("the load did not start")
        yield Load(done)
    finally:
        stop.set()
        process.join()


def _ask(
    under_way: Event, stop: Event, done: Synchronized[int], endpoints: Sequence[Endpoint], streams: int, borrowers: int
) -> None:
    sessions = [Session(endpoint) for endpoint in endpoints]

    def stream(number: int) -> None:
        session = sessions[number % len(sessions)]
        asked = number // len(sessions)
        while not stop.is_set():
            session.exposure(borrower(1 + asked % borrowers), entry_pb2.PURPOSE_POST_LOAN, CONSENT)
            asked += streams
            with done.get_lock():
                done.value += 1
            under_way.set()

    threads = [threading.Thread(target=stream, args=(number,)) for number in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _feed(
    under_way: Event, stop: Event, done: Synchronized[int], endpoint: Endpoint, borrowers: int, seconds: float
) -> None:
    rows = list(feed(endpoint.caller.member, borrowers))
    with Session(endpoint) as session:
        while not stop.is_set():
            due = time.monotonic() + seconds
            for row in rows:
                row.outstanding += 1
            for response in session.report(batched(rows, 1000)):
                if response.HasField("summary"):
                    done.value += response.summary.published
                elif response.phase == "encrypting":
                    under_way.set()
            stop.wait(max(0.0, due - time.monotonic()))
