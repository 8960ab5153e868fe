"""AuditService: everything this node holds, in a form that needs no trust in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from plimsoll.v1 import audit_pb2, audit_pb2_grpc

from ledger.chain.chain import Chain
from ledger.chain.log import Log
from ledger.consortium.lineage import Lineage
from ledger.errors import NotFound, Unverified
from ledger.tlog.checkpoint import SignedHead
from ledger.witnessing.witnessed import Kept, Witnessed
from node.services.reading import blocks
from node.wire.gate import Context


class AuditService(audit_pb2_grpc.AuditServiceServicer):
    """Reads the chain, and who has witnessed what of it; asks nothing else of the node."""

    def __init__(
        self,
        chain: Chain,
        lineage: Callable[[], Lineage],
        witnessed: Witnessed,
        outside: Callable[[SignedHead], SignedHead] = lambda head: head,
    ) -> None:
        """lineage: the manifests so far, asked for anew each time. outside: a head, with what witnesses that are no
        members have said of it."""
        self._outside = outside
        self._chain = chain
        self._lineage = lineage
        self._witnessed = witnessed

    async def Manifest(  # noqa: N802 -- gRPC's names
        self, request: audit_pb2.ManifestRequest, context: Context
    ) -> audit_pb2.ManifestResponse:
        """The founding manifest's note, and every successor with the approvals that show it."""
        lineage = self._lineage()
        return audit_pb2.ManifestResponse(manifest=lineage.founding, successions=lineage.successions())

    async def LatestHeads(  # noqa: N802
        self, request: audit_pb2.LatestHeadsRequest, context: Context
    ) -> audit_pb2.LatestHeadsResponse:
        """One per log that has entries, and what is known to be witnessed."""
        witnessed = await asyncio.to_thread(self._notes)
        return audit_pb2.LatestHeadsResponse(heads=self._heads(), witnessed=witnessed)

    async def Read(  # noqa: N802
        self, request: audit_pb2.ReadRequest, context: Context
    ) -> AsyncIterator[audit_pb2.ReadResponse]:
        """Blocks up to the head held at the call's start."""
        async for block in blocks(self._chain, request.origin, request.start):
            yield audit_pb2.ReadResponse(block=block)

    async def Consistency(  # noqa: N802
        self, request: audit_pb2.ConsistencyRequest, context: Context
    ) -> audit_pb2.ConsistencyResponse:
        """RFC 6962 proof between two sizes."""
        log = self._chain.log_by_origin(request.origin)
        return audit_pb2.ConsistencyResponse(path=log.consistency(request.old_size, request.new_size))

    async def Receipt(  # noqa: N802
        self, request: audit_pb2.ReceiptRequest, context: Context
    ) -> audit_pb2.ReceiptResponse:
        """A tlog-proof under the newest head, or under the witnessed one."""
        log = self._chain.log_by_origin(request.origin)
        receipt = self._receipt(log, request.index, request.witnessed)
        return audit_pb2.ReceiptResponse(entry=log.entry(request.index), receipt=receipt)

    def _heads(self) -> list[bytes]:
        """The newest head of each log."""
        return [self._outside(log.head).note.encode() for log in self._chain.logs() if log.head is not None]

    def _notes(self) -> list[bytes]:
        """The largest witnessed head of each log; where two conflict both, as nobody can say which one counts."""
        notes: list[bytes] = []
        for log in self._chain.logs():
            kept = self._newest(log.origin)
            notes += [] if kept is None else [self._outside(kept.signed).note.encode()]
            notes += self._chain.conflicting_witnesses(log.origin) or ()
        return list(dict.fromkeys(notes))

    def _receipt(self, log: Log, index: int, witnessed: bool) -> bytes:
        kept = self._newest(log.origin) if witnessed else None
        if kept is not None:
            try:
                return log.receipt(index, kept.signed).encode()
            except NotFound:  # it does not reach so far; a log that has forked may be held in another history
                pass
        return log.receipt(index).encode()

    def _newest(self, origin: str) -> Kept | None:
        """None also where it has rotted: that must not keep all logs from being audited. `fsck` tells of it."""
        try:
            return self._witnessed.newest(origin)
        except Unverified:
            return None
