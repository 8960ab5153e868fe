"""A node whose disk rots or is tampered with while it runs, audited through its own AuditService, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from random import Random
from typing import Any

from plimsoll.v1 import audit_pb2, peer_pb2

from client.audit.auditor import Auditor, Scope
from client.audit.keeping.memory import Memory
from client.audit.report import Report
from client.credentials import Endpoint
from ledger import refusal
from ledger.chain.log_keys import LogKeys
from ledger.chain.memory_store import MemoryStore
from ledger.chain.store import Pair, Put
from ledger.consortium.caller import Caller, server_name
from ledger.consortium.founding import SignedManifest
from ledger.consortium.history import History
from ledger.consortium.lineage import Lineage, verify_lineage
from ledger.errors import PlimsollError
from ledger.witnessing.witnessed import Witnessed
from node.services.audit import AuditService
from tests.ledger import sample_entries as sample
from tests.ledger.witnesses import chain_of, cosigned, entry, signer
from tests.lenders import lender, manifest

MEMBERS = 3
MANIFEST = manifest(MEMBERS)
#: lender-2's has a full tile and entries beyond it, lender-1's entries are small, lender-3's are of all indexed kinds.
SIZES = {"lender-1": 9, "lender-2": 300, "lender-3": 12}
THROUGH = "lender-1"
COSIGNED_AT = 1_790_000_000

Disk = Mapping[bytes, bytes]


@cache
def lineage() -> Lineage:
    signed = SignedManifest(MANIFEST, ())
    for number in range(1, MEMBERS + 1):
        signed = signed.signed_by(f"lender-{number}", lender(number).keyring.log_seed)
    return verify_lineage(signed.encode(), [])


@cache
def good() -> dict[bytes, bytes]:
    """The disk of a node that holds all three logs, each witnessed."""
    store, rng = MemoryStore(), Random(3)
    chain = chain_of(MANIFEST, store)
    entries = {
        "lender-1": [entry(number) for number in range(SIZES["lender-1"])],
        "lender-2": [entry(1000 + number) for number in range(SIZES["lender-2"])],
        "lender-3": [(sample.position, sample.inquiry, sample.evaluation)[number % 3](rng) for number in range(12)],
    }
    witnessed = Witnessed(store, History([MANIFEST]))
    for number, (member, those) in enumerate(entries.items(), 1):
        chain.own(signer(number, MEMBERS)).append(those)
        head = chain.log(member).head
        assert head is not None
        others = {each: COSIGNED_AT for each in range(1, MEMBERS + 1) if each != number}
        witnessed.add(cosigned(head, MANIFEST, others))
    return store.snapshot()


@cache
def keys(member: str) -> LogKeys:
    number = good()[b"o" + MANIFEST.origin(member).encode()]
    return LogKeys(int.from_bytes(number, "big"))


def under(prefix: bytes) -> list[bytes]:
    """The keys on the good disk that begin so."""
    return sorted(key for key in good() if key.startswith(prefix))


def flipped(key: bytes, place: int, bit: int = 0) -> dict[bytes, bytes]:
    """The disk with one bit of one value another."""
    value = bytearray(good()[key])
    value[place] ^= 1 << bit
    return {**good(), key: bytes(value)}


class Rotting:
    """A store of which what lies on the disk can be exchanged under whoever has it open."""

    def __init__(self, disk: Disk) -> None:
        self.lay(disk)

    def lay(self, disk: Disk) -> None:
        self._store = MemoryStore(disk)

    def get(self, key: bytes) -> bytes | None:
        return self._store.get(key)

    def get_many(self, wanted: Sequence[bytes]) -> list[bytes | None]:
        return self._store.get_many(wanted)

    def first_many(self, prefixes: Sequence[bytes]) -> list[Pair | None]:
        return self._store.first_many(prefixes)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None) -> Iterator[Pair]:
        return self._store.scan(start, stop, reverse=reverse, limit=limit)

    def write(self, puts: Iterable[Put], *, sync: bool = True, expect: Put | None = None) -> None:
        self._store.write(puts, sync=sync, expect=expect)

    def close(self) -> None:
        self._store.close()


class Node:
    """What an auditor's session is towards lender-1's node. Refusals take the way over the wire.

    running: opened while its disk was good; else it finds the disk as it is when it starts.
    """

    def __init__(self, disk: Disk, *, running: bool, runner: asyncio.Runner) -> None:
        store = Rotting(good() if running else disk)
        self.chain = chain_of(MANIFEST, store)
        witnessed = Witnessed(store, History([MANIFEST]))
        self._service: Any = AuditService(self.chain, lineage, witnessed)
        self._runner = runner
        store.lay(disk)

    @property
    def endpoint(self) -> Endpoint:
        caller = Caller(MANIFEST.consortium, THROUGH, "auditor", "home")
        return Endpoint("127.0.0.1:1", server_name(THROUGH), caller, b"", b"", b"")

    def manifests(self) -> audit_pb2.ManifestResponse:
        answer: audit_pb2.ManifestResponse = self._call(self._service.Manifest, audit_pb2.ManifestRequest())
        return answer

    def latest_heads(self) -> audit_pb2.LatestHeadsResponse:
        answer: audit_pb2.LatestHeadsResponse = self._call(self._service.LatestHeads, audit_pb2.LatestHeadsRequest())
        return answer

    def heads(self) -> list[bytes]:
        return list(self.latest_heads().heads)

    def witnessed(self) -> list[bytes]:
        return list(self.latest_heads().witnessed)

    def read(self, origin: str, start: int = 0) -> Iterator[peer_pb2.Block]:
        answers = self._service.Read(audit_pb2.ReadRequest(origin=origin, start=start), None)
        while (answer := self._run(lambda: _next(answers))) is not None:
            yield answer.block

    def consistency(self, origin: str, old_size: int, new_size: int) -> list[bytes]:
        request = audit_pb2.ConsistencyRequest(origin=origin, old_size=old_size, new_size=new_size)
        return list(self._call(self._service.Consistency, request).path)

    def receipt(self, origin: str, index: int) -> audit_pb2.ReceiptResponse:
        request = audit_pb2.ReceiptRequest(origin=origin, index=index)
        answer: audit_pb2.ReceiptResponse = self._call(self._service.Receipt, request)
        return answer

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        return self._run(lambda: method(request, None))

    def _run(self, start: Callable[[], Any]) -> Any:
        try:
            return self._runner.run(start())
        except PlimsollError as error:
            raw = refusal.to_status(error).SerializeToString()
            raise refusal.from_status(raw, error.grpc_status, error.message) from error


async def _next(answers: AsyncIterator[Any]) -> Any:
    return await anext(answers, None)


def audit(node: Any, last: Memory | None = None, draw: Callable[[int], int] = lambda size: size // 2) -> Report:
    """Through this node alone."""
    return Auditor(node, Scope(draw, peers=False, last=last, workers=1), lambda *_: None).run()


def named(report: Report) -> list[tuple[str, int | None]]:
    """Member and index of each finding."""
    return [(finding.member, finding.index) for finding in report.findings]


def older(member: str, size: int) -> dict[bytes, bytes]:
    """The disk as it was, or would have been, when this log had so many entries."""
    of = keys(member)
    store = MemoryStore({key: value for key, value in good().items() if not key.startswith(of.all())})
    entries = [good()[of.entry(index)] for index in range(size)]
    if entries:
        chain_of(MANIFEST, store).own(signer(_number(member), MEMBERS)).append(entries)
    return _without_witnessed(store, member)


def rewritten(member: str, index: int) -> dict[bytes, bytes]:
    """The disk of a node to which this log's author has shown another entry there."""
    of = keys(member)
    store = MemoryStore({key: value for key, value in good().items() if not key.startswith(of.all())})
    entries = [entry(77) if at == index else good()[of.entry(at)] for at in range(SIZES[member])]
    chain_of(MANIFEST, store).own(signer(_number(member), MEMBERS)).append(entries)
    return _without_witnessed(store, member)


def _without_witnessed(store: MemoryStore, member: str) -> dict[bytes, bytes]:
    of = b"h" + MANIFEST.origin(member).encode() + b"\x00"
    return {key: value for key, value in store.snapshot().items() if not key.startswith(of)}


def _number(member: str) -> int:
    return int(member.removeprefix("lender-"))
