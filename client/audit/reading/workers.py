"""The processes that an audit's work is spread over: one a core, started when there is enough to do."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """A context manager; nothing is started before the first task."""

    def __init__(self, count: int | None = None) -> None:
        """count: one a core where None."""
        self.count = count or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    @property
    def limit(self) -> int:
        """How many tasks to have under way: enough that nobody waits, few enough to be held in memory."""
        return 4 * self.count

    def submit(self, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Has a module's function called in another process."""
        if self._pool is None:
            # Spawned, not forked (design section 10): a fork would copy the locks of gRPC's threads.
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.count, spawn, initializer=_leave_interrupts_to_the_parent)
        return self._pool.submit(task, *args, **kwargs)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
