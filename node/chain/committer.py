"""Group commit (design section 4): what is appended at about the same time shares one synced write and one head."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from ledger.chain.chain import OwnLog
from node.chain.arrivals import Arrivals
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.clock import Clock

T = TypeVar("T")

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
        first: Callable[[], Iterator[Sequence[bytes]]] | None = None,
    ) -> None:
        """first: what is to stand in the log ahead of all else and is not there yet, in batches."""
        self._own = own
        self._guard = guard
        self._gossip = gossip
        self._arrivals = arrivals
        self._executor = executor
        self._clock = clock or Clock()
        self._waiting: deque[tuple[Sequence[bytes], asyncio.Future[int]]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._first = first
        self._beginning = asyncio.Lock()

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

    async def begin(self) -> None:
        """Appends what is to come first, once this node may sign. Raises as `append`."""
        await self.opened()
        async with self._beginning:
            if self._first is None:
                return
            batches = self._first()
            while (batch := await self._off_loop(next, batches, None)) is not None:
                await self._off_loop(self._own.append, batch)
            self._first = None
        self._gossip.grown(self._own.log.origin)

    async def append(self, entries: Sequence[bytes]) -> int:
        """Index of the first of `entries` (serialized, checked by the log). When it returns they are durable.

        Raises what the log raises; Unready before this node may sign, Unverified (FORK) once its log has two histories.
        """
        await self.may_sign()
        self._gossip.check_one_history(self._own.log.member)
        if self._first is not None:
            await self.begin()
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, done))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())
        return await asyncio.shield(done)

    async def _off_loop(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)

    async def _drain(self) -> None:
        while self._waiting:
            group = self._take()
            joined = [entry for entries, _ in group for entry in entries]
            try:
                index = await self._off_loop(self._own.append, joined)
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
