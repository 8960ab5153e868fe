"""OperatorService: how the node is, copies of what it has, and how the consortium is to change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing

from plimsoll.v1 import operator_pb2, operator_pb2_grpc

from ledger.consortium.proposals import Proposed
from node.governance import Governance
from node.lending.reporting import Reporting
from node.state import State
from node.upkeep.backup import Index
from node.upkeep.backups import Backups
from node.wire.gate import CALLER, Context

#: Bytes of manifests in one answer: members that propose the largest ones would otherwise stop it altogether.
MAX_TEXTS = 8 << 20


class OperatorService(operator_pb2_grpc.OperatorServiceServicer):
    """Translates."""

    def __init__(self, state: State, backups: Backups, governance: Governance, reporting: Reporting) -> None:
        self._reporting = reporting
        self._state = state
        self._backups = backups
        self._governance = governance

    async def Status(  # noqa: N802 -- gRPC's names
        self, request: operator_pb2.StatusRequest, context: Context
    ) -> operator_pb2.StatusResponse:
        """Everything an operator asks first at three in the morning."""
        return self._state.describe()

    async def Propose(  # noqa: N802
        self, request: operator_pb2.ProposeRequest, context: Context
    ) -> operator_pb2.ProposeResponse:
        """Durable in this member's log when it returns; it is no approval yet."""
        identity, index = await self._governance.propose(request.manifest)
        return operator_pb2.ProposeResponse(manifest=identity, index=index)

    async def Approve(  # noqa: N802
        self, request: operator_pb2.ApproveRequest, context: Context
    ) -> operator_pb2.ApproveResponse:
        """Binding, once it is durable in this member's log."""
        return operator_pb2.ApproveResponse(index=await self._governance.approve(request.manifest))

    async def Proposals(  # noqa: N802
        self, request: operator_pb2.ProposalsRequest, context: Context
    ) -> operator_pb2.ProposalsResponse:
        """Each with its text and who approves it."""
        found = await self._governance.proposals()
        return operator_pb2.ProposalsResponse(proposals=[_proposed(each) for each in _fitting(found)])

    async def HeldFeeds(  # noqa: N802
        self, request: operator_pb2.HeldFeedsRequest, context: Context
    ) -> operator_pb2.HeldFeedsResponse:
        """What waits for a person."""
        return operator_pb2.HeldFeedsResponse(feeds=await asyncio.to_thread(self._reporting.guard.all))

    async def ReleaseFeed(  # noqa: N802
        self, request: operator_pb2.ReleaseFeedRequest, context: Context
    ) -> AsyncIterator[operator_pb2.ReleaseFeedResponse]:
        """Only for another person than the one who sent it."""
        async for progress in self._reporting.release(request.id, CALLER.get().name):
            yield operator_pb2.ReleaseFeedResponse(progress=progress)

    async def DiscardFeed(  # noqa: N802
        self, request: operator_pb2.DiscardFeedRequest, context: Context
    ) -> operator_pb2.DiscardFeedResponse:
        """For good."""
        await self._reporting.discard(request.id, CALLER.get().name)
        return operator_pb2.DiscardFeedResponse()

    async def Backup(  # noqa: N802
        self, request: operator_pb2.BackupRequest, context: Context
    ) -> AsyncIterator[operator_pb2.BackupResponse]:
        """Progress, then what the backup holds. One that is not waited for to its end leaves nothing behind."""
        async with aclosing(self._backups.back_up(request.folder)) as steps:
            async for step in steps:
                if isinstance(step, Index):
                    summary = operator_pb2.BackupSummary(
                        folder=request.folder,
                        bytes=step.bytes,
                        files=len(step.files),
                        borrowers=step.borrowers,
                        entries=step.entries,
                    )
                    yield operator_pb2.BackupResponse(phase="done", summary=summary)
                else:
                    yield operator_pb2.BackupResponse(phase=step.phase, done=step.done, total=step.total)


def _fitting(found: Iterable[Proposed]) -> Iterator[Proposed]:
    """Those with most approvals first, as many as one answer holds; then in the order in which they came."""
    room = MAX_TEXTS
    chosen = []
    for number, each in sorted(enumerate(found), key=lambda pair: -len(pair[1].approved)):
        room -= len(each.manifest.text.encode())
        if room >= 0:
            chosen.append((number, each))
    for _, each in sorted(chosen, key=lambda pair: pair[0]):
        yield each


def _proposed(proposed: Proposed) -> operator_pb2.ProposedManifest:
    return operator_pb2.ProposedManifest(
        manifest=proposed.manifest.id,
        proposer=proposed.proposer,
        text=proposed.manifest.text.encode(),
        approved=proposed.approved,
        needed=proposed.needed,
    )
