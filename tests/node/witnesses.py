"""Nodes in one process that gossip, witness and freeze for real, over links that call each other's services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from threading import RLock

from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain, LogName, OwnLog
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.history import History
from ledger.errors import Unavailable
from ledger.witnessing.witness import Witness
from ledger.witnessing.witnessed import Witnessed
from node.chain.arrivals import Arrivals
from node.chain.committer import Committer
from node.chain.freezing import Freezing
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.chain.witnessing import Witnessing
from node.clock import Clock
from node.consortium import Consortium
from node.services.reading import heads
from tests.ledger.witnesses import cosigner, name, signer
from tests.lenders import manifest

MANIFEST = manifest(5)
NOW = 1_700_000_000


class FixedClock(Clock):
    """Wall time that a test sets; the monotonic clock runs, and leaps ahead where a test says so."""

    now = float(NOW)
    leapt = 0.0

    def unix(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return super().monotonic() + self.leapt

    def leap(self, seconds: float) -> None:
        """Both clocks."""
        self.now += seconds
        self.leapt += seconds


class DirectLink:
    """To another node of this process; one that is away does not answer."""

    latency = 0.001
    reachable = True

    def __init__(self, caller: str, to: Node) -> None:
        self.caller = caller
        self.member = to.member
        self.to = to

    def _there(self) -> Node:
        if self.to.is_away:
            raise Unavailable("UNREACHABLE", "does not answer")
        return self.to

    async def heads(self, timeout: float) -> peer_pb2.HeadsResponse:
        to = self._there()
        return peer_pb2.HeadsResponse(
            heads=heads(to.chain),
            witnessed=to.witnessing.news(self.caller),
            cosigned=to.witnessing.cosigned(self.caller),
        )

    async def push(self, block: peer_pb2.Block, timeout: float) -> int:
        return await self._there().gossip.take(block)

    async def pull(self, origin: str, start: int, timeout: float) -> AsyncIterator[peer_pb2.Block]:
        for block in blocks_from(self._there().chain.log_by_origin(origin), start):
            yield block

    async def witness(self, request: peer_pb2.WitnessRequest, timeout: float) -> peer_pb2.WitnessResponse:
        return await self._there().witnessing.answer(self.caller, request)


@dataclass
class Node:
    """One member's. Made anew over the same store it is the same node after a restart."""

    number: int
    threads: Executor
    store: MemoryStore = field(default_factory=lambda: MemoryStore(lock=RLock()))
    is_away: bool = False

    def __post_init__(self) -> None:
        self.member = name(self.number)
        names = [
            LogName(each.name, MANIFEST.origin(each.name), MANIFEST.log_key(each.name)) for each in MANIFEST.members
        ]
        self.chain = Chain(self.store, names, new_lock=RLock)
        self.clock = FixedClock()
        self.links: dict[str, DirectLink] = {}
        self.arrivals = Arrivals(30.0)
        guard = SelfForkGuard(0, alone=True)
        consortium = Consortium(self.member, History([MANIFEST]))
        self.gossip = Gossip(self.chain, self.member, [], self.arrivals, guard, self.threads, 1.0, self.clock)
        own = OwnLog(self.chain.log(self.member), signer(self.number))
        self.committer = Committer(own, guard, self.gossip, self.arrivals, self.threads, self.clock)
        self.witnessed = Witnessed(self.store, consortium.history, RLock())
        self.freezing = Freezing(
            consortium, self.chain, self.witnessed, self.gossip.problems, self.committer, self.threads, self.clock
        )
        mine = cosigner(self.number, MANIFEST)
        self.witnessing = Witnessing(
            consortium,
            self.chain,
            signer(self.number),
            mine,
            Witness(self.store, self.chain, mine, RLock()),
            self.witnessed,
            self.links,  # type: ignore[arg-type]
            self.gossip,
            guard,
            self.arrivals,
            self.freezing,
            self.threads,
            self.clock,
        )
        self.gossip.freezing, self.gossip.witnessing = self.freezing, self.witnessing

    def knows(self, others: list[Node]) -> None:
        """Links to these."""
        self.links.update({other.member: DirectLink(self.member, other) for other in others if other is not self})
        self.gossip.follow(self.links.values(), 1.0)  # type: ignore[arg-type]

    async def compare(self) -> None:
        """With everybody who is there, once."""
        for peer in list(self.gossip._peers.values()):
            if not peer.link.to.is_away:  # type: ignore[attr-defined]
                await self.gossip._compare(peer)

    async def beat(self) -> None:
        """One heartbeat."""
        await self.witnessing._beat()

    def origin(self, number: int) -> str:
        return MANIFEST.origin(name(number))


def network(threads: Executor, count: int = 5) -> list[Node]:
    """Nodes 1 .. count, all linked."""
    nodes = [Node(number, threads) for number in range(1, count + 1)]
    for node in nodes:
        node.knows(nodes)
    return nodes
