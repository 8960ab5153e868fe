"""When entries are to be seen where: by the heads that nodes tell, asked whenever something was written to their disk.

Asking all the time would slow down what is being measured, so a look at the size of a node's write-ahead log tells
when to ask: what is not written yet is not visible either. A moment is therefore known to lie between two looks: the
last one that found nothing new, and the arrival of the first answer that tells of it. A delay is given as the longest
that its two moments allow, with how much shorter it may have been.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import grpc.aio
from plimsoll.v1 import audit_pb2, audit_pb2_grpc

from ledger.homes import home
from scripts.benchmarks.heads import size_of
from tests.cluster import Cluster

#: Seconds between two looks, and after which a write that changed no head is taken for something else.
_PAUSE, _SYNC = 0.002, 0.1


class Delay(NamedTuple):
    """Seconds: the longest it can have been, and how much of that is not certain."""

    longest: float
    uncertain: float


@dataclass(slots=True)
class Sightings:
    """What one node said, or its disk: when that was asked, when it was answered, and the size it told."""

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
    """Watches how long a log is at all nodes, each in a task of its own, for as long as `looking`."""

    def __init__(self, nodes: Mapping[str, tuple[Any, Path]]) -> None:
        """nodes: by member, the stub of its AuditService and the folder of its chain."""
        self._nodes = nodes
        self._told = asyncio.Condition()
        self.sightings = {member: Sightings() for member in nodes}

    @contextmanager
    def looking(self, origin: str) -> Iterator[None]:
        """Begins anew."""
        for each in self.sightings.values():
            each.seen.clear()
        tasks = [asyncio.create_task(self._look(member, origin)) for member in self._nodes]
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

    async def _look(self, member: str, origin: str) -> None:
        stub, folder = self._nodes[member]
        seen = self.sightings[member]
        written: list[tuple[str, int]] = []
        quiet: float | None = None
        while True:
            looked, found = time.perf_counter(), _written(folder)
            if found == written:
                quiet = looked
            else:
                if quiet is not None:
                    seen.seen.append((quiet, quiet, seen.size))
                written, quiet = found, None
                await self._ask(stub, origin, seen)
            await asyncio.sleep(_PAUSE)

    async def _ask(self, stub: Any, origin: str, seen: Sightings) -> None:
        """Until the node's heads have changed and change no more: what is written becomes visible when it is synced."""
        deadline = time.perf_counter() + _SYNC
        heads: list[bytes] = []
        changes = -1
        while time.perf_counter() < deadline:
            sent = time.perf_counter()
            answer = await stub.LatestHeads(audit_pb2.LatestHeadsRequest())
            seen.seen.append((sent, time.perf_counter(), size_of(answer.heads, origin)))
            async with self._told:
                self._told.notify_all()
            if list(answer.heads) != heads:
                heads = list(answer.heads)
                changes += 1
            elif changes > 0:
                return
            await asyncio.sleep(_PAUSE)


def _written(folder: Path) -> list[tuple[str, int]]:
    """Names and sizes of LevelDB's write-ahead logs."""
    with os.scandir(folder) as files:
        found = []
        for file in files:
            if file.name.endswith(".log"):
                with suppress(FileNotFoundError):
                    found.append((file.name, file.stat().st_size))
    return sorted(found)


@asynccontextmanager
async def watching(cluster: Cluster) -> AsyncIterator[Watch]:
    """With connections to all its nodes."""
    async with AsyncExitStack() as stack:
        nodes = {}
        for member in cluster.members:
            endpoint = cluster.endpoint(member, "operator")
            options = [("grpc.ssl_target_name_override", endpoint.server_name)]
            channel = grpc.aio.secure_channel(endpoint.address, endpoint.credentials, options)
            await stack.enter_async_context(channel)
            stub = audit_pb2_grpc.AuditServiceStub(channel)
            nodes[member] = stub, cluster.home_folder(member) / home.CHAIN
        yield Watch(nodes)
