"""How much of this member's own daily quotas is used up, read out of its log as custodians count it.

An inquiry that custodians would refuse stands in the log all the same, and counts for a day; so it is not logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager

from plimsoll.v1 import entry_pb2

from ledger.chain.log import Log
from ledger.errors import Exhausted
from ledger.queries.inquiry import DAY
from ledger.queries.quota import Weights
from node.clock import Clock
from node.upkeep.ending import ended


class Used:
    """inquiries and blinded elements of the last day. Grows with a day's entries, not with the log."""

    def __init__(self, own: Callable[[], Log]) -> None:
        self._own = own
        self._origin = ""
        self._next: dict[str, int] = {}
        self._weights: dict[str, Weights] = {}

    def today(self, kind: str, now: int) -> int:
        """Of a kind of entries, "inquiry" or "evaluation". now: Unix seconds."""
        log = self._own()
        if log.origin != self._origin:
            self._origin, self._next, self._weights = log.origin, {}, {}
        weights = self._weights.setdefault(kind, Weights())
        size = log.size
        after = self._next.get(kind)
        # The first time from the end back to what is too old; one's own times are in order but for seconds.
        found = log.entries_by_kind(kind, after or 0, size, reverse=after is None)
        for _, raw in found:
            time, weight = _weigh(raw)
            if after is None and time < now - 2 * DAY:
                break
            weights.add(time, weight)
        self._next[kind] = size
        weights.trim(now - 2 * DAY, 1 << 62)
        return weights.after(now - DAY)

    def wait(self, kind: str, now: int, limit: int) -> int:
        """Seconds from `now` until less than `limit` (at least 1) of what `today` has counted is of the last day."""
        weights = self._weights[kind]
        left, until = weights.after(now - DAY), 0
        for time, weight in weights.items():
            if left < limit:
                break
            if time > now - DAY:
                left -= weight
                until = time + DAY - now
        return until


class Allowance:
    """The member's inquiries of a day, those that are about to be logged included."""

    def __init__(self, own: Callable[[], Log], executor: Executor, clock: Clock) -> None:
        """own: the log that this node writes."""
        self._used = Used(own)
        self._executor = executor
        self._clock = clock
        self._pending = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def one(self, limit: int) -> AsyncIterator[None]:
        """Room for one inquiry, which the block logs. limit: inquiries a day. Raises Exhausted (QUOTA) with the time
        until there is room again."""
        async with self._changed:
            # Taken before the log is read: what gets there meanwhile is counted twice, and nothing not at all.
            while self._pending + await self._count(limit) >= limit:
                await self._changed.wait()
            self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1
            async with self._changed:
                self._changed.notify_all()

    async def _count(self, limit: int) -> int:
        now = int(self._clock.unix())
        loop = asyncio.get_running_loop()
        used = await ended(loop.run_in_executor(self._executor, self._used.today, "inquiry", now))
        if used >= limit:
            retry = self._used.wait("inquiry", now, limit)
            raise Exhausted("QUOTA", f"{limit} inquiries were made within a day", retry=retry)
        return used


def _weigh(raw: bytes) -> tuple[int, int]:
    entry = entry_pb2.Entry.FromString(raw)
    return entry.time, entry.evaluation.count if entry.HasField("evaluation") else 1
