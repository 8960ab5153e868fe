"""Group commit (design section 4): what is appended at about the same time shares one synced write and one head."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor

from ledger.chain import OwnLog
from node.arrivals import Arrivals
from node.clock import Clock
from node.gossip import Gossip
from node.guard import SelfForkGuard

#: Entries in one commit; a longer batch is a commit of its own. Bounds the time that others wait for it.
MAX_COMMIT = 1000


class Committer:
    """The one way to append to this member's own log. Entries handed in together stay consecutive and in order."""

    def __init__(
        self,
        own: OwnLog,
        guard: SelfForkGuard,
        gossip: Gossip,
        arrivals: Arrivals,
        executor: Executor,
        clock: Clock | None = None,
    ) -> None:
        self._own = own
        self._guard = guard
        self._gossip = gossip
        self._arrivals = arrivals
        self._executor = executor
        self._clock = clock or Clock()
        self._waiting: deque[tuple[Sequence[bytes], asyncio.Future[int]]] = deque()
        self._running: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether this node may sign; until then its log may lack what it has said before."""
        return self._guard.is_open

    async def opened(self) -> None:
        """Returns once this node may sign, however long that takes."""
        await self._guard.opened()

    async def may_sign(self) -> None:
        """Returns once this node may sign. Raises Unready (UNCONFIRMED_LOG) where that takes too long."""
        await self._guard.passed()

    async def append(self, entries: Sequence[bytes]) -> int:
        """Index of the first of `entries` (serialized, checked by the log). When it returns they are durable.

        Raises what the log raises; Unready before this node may sign, Unverified (FORK) once its log has two histories.
        """
        await self.may_sign()
        self._gossip.check_one_history(self._own.log.member)
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, done))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())
        return await asyncio.shield(done)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group = self._take()
            joined = [entry for entries, _ in group for entry in entries]
            try:
                index = await loop.run_in_executor(self._executor, self._own.append, joined)
            except Exception as error:  # noqa: BLE001 -- handed to everybody who waits, whatever it is
                for _, done in group:
                    _settle(done, error)
                continue
            for entries, done in group:
                _settle(done, index)
                index += len(entries)
            self._arrivals.note(self._own.log.origin, self._own.log.covered, self._clock.monotonic())
            self._gossip.grown(self._own.log.origin)

    def _take(self) -> list[tuple[Sequence[bytes], asyncio.Future[int]]]:
        group = [self._waiting.popleft()]
        size = len(group[0][0])
        while self._waiting and size + len(self._waiting[0][0]) <= MAX_COMMIT:
            group.append(self._waiting.popleft())
            size += len(group[-1][0])
        return group


def _settle(done: asyncio.Future[int], outcome: int | Exception) -> None:
    if done.cancelled():  # the caller has gone; what it appended stays
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
