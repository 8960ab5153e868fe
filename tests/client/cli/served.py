"""Logs that the fake node serves to auditors, truly or not."""

from __future__ import annotations

from pathlib import Path

import pytest
from plimsoll.v1 import audit_pb2, entry_pb2, peer_pb2

from ledger.chain.chain import Chain, LogName
from ledger.chain.memory_store import MemoryStore
from ledger.tlog.checkpoint import log_origin
from ledger.tlog.note import Signer
from node.homes.home import open_home
from tests.client.conftest import PASSPHRASE
from tests.client.fakes import FakeNode


@pytest.fixture(scope="module")
def chain(homes: dict[str, Path]) -> Chain:
    """lender-1's log has five entries; the others' have none."""
    manifest = open_home(homes["lender-1"]).manifest()
    names = [LogName(one.name, manifest.origin(one.name), manifest.log_key(one.name)) for one in manifest.members]
    chain = Chain(MemoryStore(), names)
    keyring = open_home(homes["lender-1"]).keyring(PASSPHRASE)
    signer = Signer.from_seed(log_origin(manifest.consortium.hex(), "lender-1"), keyring.log_seed)
    evaluations = [entry_pb2.Evaluation(count=number, epoch=1, batch_digest=bytes(32)) for number in range(1, 6)]
    entries = [entry_pb2.Entry(time=1, evaluation=each).SerializeToString() for each in evaluations]
    chain.own(signer).append(entries)
    return chain


@pytest.fixture
def serving(node: FakeNode, chain: Chain) -> FakeNode:
    """lender-1's node, which serves these logs truly. The others' do not run."""

    def read(request: audit_pb2.ReadRequest) -> list[audit_pb2.ReadResponse]:
        log = chain.log_by_origin(request.origin)
        if log.head is None:
            return []
        block = peer_pb2.Block(origin=log.origin, entries=list(log.entries(0)), head=log.head.note.encode())
        return [audit_pb2.ReadResponse(block=block)]

    def receipt(request: audit_pb2.ReceiptRequest) -> audit_pb2.ReceiptResponse:
        log = chain.log_by_origin(request.origin)
        return audit_pb2.ReceiptResponse(entry=log.entry(request.index), receipt=log.receipt(request.index).encode())

    heads = [log.head.note.encode() for log in chain.logs() if log.head is not None]
    node.answers |= {"LatestHeads": audit_pb2.LatestHeadsResponse(heads=heads), "Read": read, "Receipt": receipt}
    return node


def rotten(serving: FakeNode) -> None:
    """From now on the third entry is another."""
    read = serving.answers["Read"]

    def rotten_read(request: audit_pb2.ReadRequest) -> list[audit_pb2.ReadResponse]:
        answers: list[audit_pb2.ReadResponse] = read(request)
        for answer in answers:
            answer.block.entries[2] = b"other"
        return answers

    serving.answers["Read"] = rotten_read
