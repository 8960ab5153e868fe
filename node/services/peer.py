"""PeerService: what this node does for the other members' nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from plimsoll.v1 import peer_pb2, peer_pb2_grpc

from ledger.chain.chain import Chain
from ledger.consortium.lineage import Lineage
from node.chain.gossip import Gossip
from node.chain.witnessing import Witnessing
from node.challenges.proving import Proving
from node.custody.custody import Custody
from node.services.reading import blocks, heads
from node.wire.gate import CALLER, Context


class PeerService(peer_pb2_grpc.PeerServiceServicer):
    """Translates; the caller is the member its certificate names, whatever a message says."""

    def __init__(
        self,
        chain: Chain,
        gossip: Gossip,
        custody: Custody,
        witnessing: Witnessing,
        lineage: Callable[[], Lineage],
        proving: Proving,
    ) -> None:
        """lineage: the manifests so far, asked for anew each time."""
        self._lineage = lineage
        self._chain = chain
        self._gossip = gossip
        self._custody = custody
        self._witnessing = witnessing
        self._proving = proving

    async def Heads(  # noqa: N802 -- gRPC's names
        self, request: peer_pb2.HeadsRequest, context: Context
    ) -> peer_pb2.HeadsResponse:
        """One per log that has entries, what is known to be witnessed, what this node has cosigned beyond, and which
        manifest is in force."""
        current, caller, witnessing = self._lineage().current, CALLER.get().member, self._witnessing
        return peer_pb2.HeadsResponse(
            heads=heads(self._chain),
            witnessed=witnessing.news(caller),
            cosigned=witnessing.cosigned(caller),
            manifest=current.id,
            sequence=current.sequence,
        )

    async def Successor(  # noqa: N802
        self, request: peer_pb2.SuccessorRequest, context: Context
    ) -> peer_pb2.SuccessorResponse:
        """What followed a manifest here, with the approvals that show it."""
        return peer_pb2.SuccessorResponse(succession=self._lineage().succession_of(request.previous))

    async def Witness(  # noqa: N802
        self, request: peer_pb2.WitnessRequest, context: Context
    ) -> peer_pb2.WitnessResponse:
        """The caller's own head, cosigned."""
        return await self._witnessing.answer(CALLER.get().member, request)

    async def Push(  # noqa: N802
        self, request: peer_pb2.PushRequest, context: Context
    ) -> peer_pb2.PushResponse:
        """Verified, stored and synced when it answers."""
        return peer_pb2.PushResponse(size=await self._gossip.pushed(CALLER.get().member, request.block))

    async def Pull(  # noqa: N802
        self, request: peer_pb2.PullRequest, context: Context
    ) -> AsyncIterator[peer_pb2.PullResponse]:
        """Blocks up to the head held at the call's start."""
        async for block in blocks(self._chain, request.origin, request.start):
            yield peer_pb2.PullResponse(block=block)

    async def Evaluate(  # noqa: N802
        self, request: peer_pb2.EvaluateRequest, context: Context
    ) -> peer_pb2.EvaluateResponse:
        """As custodian."""
        return await self._custody.evaluate(CALLER.get().member, request)

    async def Decrypt(  # noqa: N802
        self, request: peer_pb2.DecryptRequest, context: Context
    ) -> peer_pb2.DecryptResponse:
        """As custodian."""
        return await self._custody.decrypt(CALLER.get().member, request)

    async def Prove(  # noqa: N802
        self, request: peer_pb2.ProveRequest, context: Context
    ) -> peer_pb2.ProveResponse:
        """As author."""
        return await self._proving.answer(CALLER.get().member, request)
