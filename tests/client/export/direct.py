"""A member's node without the wire: its AuditService over real logs, as an auditor's session sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

from plimsoll.v1 import audit_pb2, peer_pb2

from ledger.chain.chain import Chain
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.founding import SignedManifest
from ledger.consortium.history import History
from ledger.consortium.lineage import Lineage, founded
from ledger.witnessing.witnessed import Witnessed
from node.services.audit import AuditService
from tests.ledger.witnesses import chain_of, cosigned, head_of, history, name, signer
from tests.lenders import lender, manifest

MANIFEST = manifest(5)
TIMES = {1: 1000, 2: 1001, 3: 1002, 4: 1003}


@cache
def lineage() -> Lineage:
    signed = SignedManifest(MANIFEST, ())
    for number in range(1, 6):
        signed = signed.signed_by(name(number), lender(number).keyring.log_seed)
    return founded(signed.encode())


class Direct:
    """Logs of `history(size, branch)`; every answer can be replaced by a lie."""

    def __init__(self, branch: int = 0, common: int = 0) -> None:
        self.chain: Chain = chain_of(MANIFEST, MemoryStore())
        self.lineage = lineage()
        self.branch, self.common = branch, common
        self.witnesses = Witnessed(self.chain.store, History([MANIFEST]))
        self.endpoint = SimpleNamespace(caller=SimpleNamespace(consortium=MANIFEST.consortium))
        self.change_block: Callable[[peer_pb2.Block], None] = lambda block: None
        self.change_heads: Callable[[Any], None] = lambda response: None
        self.reads: list[tuple[str, int]] = []
        self._service: Any = AuditService(self.chain, lambda: self.lineage, self.witnesses)

    def grow(self, size: int, author: int = 1) -> None:
        """The author's log, up to a size."""
        log = self.chain.log(name(author))
        if size > log.size:
            entries = history(size, self.branch, self.common)
            self.chain.own(signer(author)).append(entries[log.size :])

    def witness(self, size: int, author: int = 1, by: dict[int, int] | None = None) -> bytes:
        """The note of a witnessed head of the author's log at that size."""
        note = cosigned(self.head(size, author), MANIFEST, TIMES if by is None else by)
        self.witnesses.add(note)
        return note

    def head(self, size: int, author: int = 1):
        return head_of(history(size, self.branch, self.common), MANIFEST, author)

    # -- as a session

    def manifests(self) -> audit_pb2.ManifestResponse:
        response: audit_pb2.ManifestResponse = asyncio.run(self._service.Manifest(audit_pb2.ManifestRequest(), None))
        return response

    def latest_heads(self) -> audit_pb2.LatestHeadsResponse:
        response: audit_pb2.LatestHeadsResponse = asyncio.run(
            self._service.LatestHeads(audit_pb2.LatestHeadsRequest(), None)
        )
        self.change_heads(response)
        return response

    def read(self, origin: str, start: int = 0) -> Iterator[peer_pb2.Block]:
        self.reads.append((origin, start))

        async def all_of() -> list[peer_pb2.Block]:
            request = audit_pb2.ReadRequest(origin=origin, start=start)
            return [answer.block async for answer in self._service.Read(request, None)]

        for block in asyncio.run(all_of()):
            self.change_block(block)
            yield block

    def receipt(self, origin: str, index: int, witnessed: bool = False) -> audit_pb2.ReceiptResponse:
        request = audit_pb2.ReceiptRequest(origin=origin, index=index, witnessed=witnessed)
        response: audit_pb2.ReceiptResponse = asyncio.run(self._service.Receipt(request, None))
        return response
