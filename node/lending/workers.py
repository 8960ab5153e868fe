"""The executor for bulk cryptography (design section 10): spawned processes, tasks of many items, a narrow interface.

Small work is done in a thread: libsodium releases the interpreter's lock, and a process pool takes a second to start.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from typing import TypeVar

from node.wire.hardening import leave_no_core

T = TypeVar("T")
R = TypeVar("R")


class Workers:
    """A pool of `count` processes (0: one a core), started at the first bulk work."""

    def __init__(self, count: int = 0) -> None:
        self.count = count or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    async def map_ordered(self, work: Callable[[T], R], tasks: Iterable[T], bulk: bool) -> AsyncIterator[R]:
        """work(task) for each task, in the order of the tasks; a few at a time, so that results do not pile up.

        `work` must be a module-level function, tasks and results picklable. bulk: whether processes are worth it.
        """
        loop = asyncio.get_running_loop()
        pool = self._started() if bulk else None
        ahead = 2 * self.count if bulk else 1
        running: deque[asyncio.Future[R]] = deque()
        try:
            for task in tasks:
                running.append(loop.run_in_executor(pool, work, task))
                if len(running) > ahead:
                    yield await running.popleft()
            while running:
                yield await running.popleft()
        finally:
            for future in running:
                future.cancel()

    def close(self) -> None:
        """Ends the processes; work under way is dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.count, mp_context=multiprocessing.get_context("spawn"), initializer=begin
            )
        return self._pool


def begin() -> None:
    """What every worker process does first. Ctrl-C reaches the whole process group; the node decides when workers end,
    and if it is killed they end too: one that waits for work would wait for ever."""
    leave_no_core()  # what is to be encrypted comes here in the clear
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
