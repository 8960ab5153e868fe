"""When entries are to be seen where, as anybody finds out who asks the nodes for their heads.

Nodes tell when they are asked, so a moment is only known to lie between two answers: from the sending of the last
question that was answered "not yet" to the arrival of the first answer "yes". A delay is given as the longest that its
two moments allow, with how much shorter it may have been.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import grpc.aio
from plimsoll.v1 import audit_pb2, audit_pb2_grpc

from client.credentials import Endpoint
from scripts.benchmarks.heads import size_of


class Delay(NamedTuple):
    """Seconds: the longest it can have been, and how much of that is not certain."""

    longest: float
    uncertain: float


@dataclass(slots=True)
class Sightings:
    """What one node said: for each question when it was sent, when it was answered, and the size it told."""

    seen: list[tuple[float, float, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The last one told."""
        return self.seen[-1][2] if self.seen else 0

    def reached(self, size: int) -> tuple[float, float] | None:
        """Between which moments the node came to hold so many entries; None where that was not seen."""
        sent = None
        for asked, answered, told in self.seen:
            if told >= size:
                return None if sent is None else (sent, answered)
            sent = asked
        return None


def delay(author: Sightings, others: list[Sightings], size: int) -> Delay | None:
    """From when the author had so many entries to when the last of the others did; None where that was not seen."""
    left = author.reached(size)
    arrived = [each for each in (other.reached(size) for other in others) if each is not None]
    if left is None or len(arrived) < len(others):
        return None
    earliest, latest = max(each[0] for each in arrived), max(each[1] for each in arrived)
    longest = latest - left[0]
    return Delay(longest, longest - max(0.0, earliest - left[1]))


class Watch:
    """Asks all nodes how long a log is, each in a task of its own, for as long as `looking`."""

    def __init__(self, stubs: Mapping[str, Any]) -> None:
        """stubs: of AuditService, by member."""
        self._stubs = stubs
        self._told = asyncio.Condition()
        self.sightings = {member: Sightings() for member in stubs}

    @contextmanager
    def looking(self, origin: str, pause: float) -> Iterator[None]:
        """Begins anew, with so many seconds between an answer and the next question."""
        for each in self.sightings.values():
            each.seen.clear()
        tasks = [asyncio.create_task(self._look(member, origin, pause)) for member in self._stubs]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    async def wait_for(self, size: int) -> None:
        """Until every node has told of so many entries."""
        async with self._told:
            await self._told.wait_for(lambda: all(each.size >= size for each in self.sightings.values()))

    def delay(self, author: str, size: int) -> Delay | None:
        """From the author to the last of the others."""
        others = [each for member, each in self.sightings.items() if member != author]
        return delay(self.sightings[author], others, size)

    async def _look(self, member: str, origin: str, pause: float) -> None:
        stub, seen = self._stubs[member], self.sightings[member].seen
        while True:
            sent = time.perf_counter()
            answer = await stub.LatestHeads(audit_pb2.LatestHeadsRequest())
            seen.append((sent, time.perf_counter(), size_of(answer.heads, origin)))
            async with self._told:
                self._told.notify_all()
            await asyncio.sleep(pause)


@asynccontextmanager
async def watching(endpoints: Mapping[str, Endpoint]) -> AsyncIterator[Watch]:
    """With connections to these nodes."""
    channels = {
        member: grpc.aio.secure_channel(
            each.address, each.credentials, [("grpc.ssl_target_name_override", each.server_name)]
        )
        for member, each in endpoints.items()
    }
    try:
        yield Watch({member: audit_pb2_grpc.AuditServiceStub(channel) for member, channel in channels.items()})
    finally:
        for channel in channels.values():
            await channel.close(None)
