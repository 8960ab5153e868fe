"""Before a custodian answers, others have the asker's log up to the inquiry; so a second branch of it gets no answer.

The asker is a custodian itself here, as by default: with its own share it needs two others for each branch of its log.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from threading import RLock
from typing import cast

import pytest
from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.history import History
from ledger.errors import PlimsollError, Unverified
from ledger.queries.custodian import Custodian
from ledger.tlog.note import Signer
from node.chain.arrivals import Arrivals
from node.chain.committer import Committer
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.consortium import Consortium
from node.custody.ceremonies import Ceremonies
from node.custody.custody import Custody
from node.custody.vault import Vault
from node.wire.links import Link
from tests.lenders import lender, manifest
from tests.review.peers import entry, peer

MANIFEST = manifest(5)
ASKER = "lender-5"
OTHERS = [f"lender-{number}" for number in range(1, 5)]


def chain() -> Chain:
    names = [(each.name, MANIFEST.origin(each.name), MANIFEST.log_key(each.name)) for each in MANIFEST.members]
    return Chain(MemoryStore(), names, new_lock=RLock)


def branch(common: int, number: int, more: int = 1) -> Chain:
    """The asker's chain: entries that all share, then those of a branch, the last of which is its inquiry."""
    held = chain()
    own = held.own(Signer.from_seed(MANIFEST.origin(ASKER), lender(5).keyring.log_seed))
    own.append([entry(n) for n in range(common)])
    own.append([entry(10_000 * number + n) for n in range(more)])
    return held


class Answers:
    """A custodian that has made all its checks, on the log as it holds it."""

    def __init__(self, held: Chain) -> None:
        self._held = held

    def answer(self, caller, request, now, held_before, freezing, also, findings=None):
        if self._held.log(caller).size <= 3:
            raise Unverified("NOT_IN_LOG", "no such inquiry")
        return peer_pb2.DecryptResponse(custodian=1)


class Node:
    """One honest custodian, with links to the others."""

    def __init__(self, name: str, folder, threads: ThreadPoolExecutor) -> None:
        self.name, self.held, self.links = name, chain(), list[Link]()
        self.folder, self.threads = folder, threads
        self.reachable = True
        self.was_pushed = 0

    async def push(self, request, context):
        self.was_pushed += 1
        if not self.reachable:
            await asyncio.sleep(60)
        try:
            size = await self.gossip.take(peer_pb2.PushRequest.FromString(request).block)
        except PlimsollError as error:
            await context.abort(15, error.reason)  # DATA_LOSS
        return peer_pb2.PushResponse(size=size).SerializeToString()

    async def heads(self, request, context):
        found = [log.head.note.encode() for log in self.held.logs() if log.head is not None]
        return peer_pb2.HeadsResponse(heads=found).SerializeToString()

    async def pull(self, request, context):
        asked = peer_pb2.PullRequest.FromString(request)
        for block in blocks_from(self.held.log_by_origin(asked.origin), asked.start):
            yield peer_pb2.PullResponse(block=block).SerializeToString()

    def start(self) -> None:
        number = int(self.name[-1])
        arrivals, guard = Arrivals(30.0), SelfForkGuard(0, alone=True)
        self.gossip = Gossip(self.held, self.name, self.links, arrivals, guard, self.threads, 60.0)
        own = self.held.own(Signer.from_seed(MANIFEST.origin(self.name), lender(number).keyring.log_seed))
        committer = Committer(own, guard, self.gossip, arrivals, self.threads)
        vault = Vault(self.folder, lender(number).keyring, MANIFEST.consortium, os.urandom)
        consortium = Consortium(self.name, History([MANIFEST]))
        ceremonies = Ceremonies(consortium, self.held, vault, committer, self.threads, os.urandom)
        self.custody = Custody(consortium, self.held, ceremonies, self.gossip, arrivals, self.threads, os.urandom)
        self.custody._custodians[1] = cast(Custodian, Answers(self.held))

    async def ask(self, asker: Chain) -> str:
        """What the asker gets for the inquiry at its log's end: "" for an answer, else the refusal's code."""
        log = asker.log(ASKER)
        tail = next(iter(blocks_from(log, 0)))
        request = peer_pb2.DecryptRequest(receipt=log.receipt(log.size - 1).encode(), tail=tail)
        try:
            await self.custody.decrypt(ASKER, request)
        except PlimsollError as error:
            return error.reason
        return ""


@pytest.fixture
async def nodes(tmp_path):
    async with AsyncExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(4))
        made = {name: Node(name, tmp_path, threads) for name in OTHERS}
        for node in made.values():
            link = await stack.enter_async_context(peer(node.name, Push=node.push, Heads=node.heads, Pull=node.pull))
            link.error = ""  # as after a first contact
            for other in made.values():
                if other is not node:
                    other.links.append(link)
        for node in made.values():
            node.start()
        yield made


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 3), (3, 1)])
async def test_two_branches_never_get_two_answers_where_custodians_reach_each_other(nodes, first, second):
    one, other = branch(3, 1, first), branch(3, 2, second)
    assert [await nodes[name].ask(one) for name in ("lender-1", "lender-2")] == ["", ""]
    refused = [await nodes[name].ask(other) for name in ("lender-3", "lender-4")]
    assert all(refused), refused
    assert "FORK" in refused


async def test_nor_where_both_are_asked_about_at_the_same_time(nodes):
    one, other = branch(3, 1), branch(3, 2)
    asked = [(name, one) for name in ("lender-1", "lender-2")] + [(name, other) for name in ("lender-3", "lender-4")]
    got = await asyncio.gather(*(nodes[name].ask(shown) for name, shown in asked))
    first, second = got[:2], got[2:]
    assert any(first) or any(second)


async def test_one_that_stalls_delays_nobody_for_long_and_those_that_are_away_stop_nobody(nodes):
    nodes["lender-4"].reachable = False
    started = asyncio.get_running_loop().time()
    assert await nodes["lender-1"].ask(branch(3, 1)) == ""
    assert asyncio.get_running_loop().time() - started < 2.0
    for name in ("lender-2", "lender-3"):
        nodes[name].reachable = False
    assert await nodes["lender-1"].ask(branch(3, 1)) == ""


async def test_a_peer_that_only_says_so_convicts_nobody(nodes):
    """A custodian that cries fork without proof must not be able to stop all answers."""

    async def liar(request, context):
        await context.abort(15, "FORK")

    node = nodes["lender-1"]
    async with AsyncExitStack() as stack:
        links = []
        for name in ("lender-2", "lender-3", "lender-4"):
            honest = nodes[name]
            link = await stack.enter_async_context(peer(name, Push=liar, Heads=honest.heads, Pull=honest.pull))
            link.error = ""
            links.append(link)
        node.links[:] = links
        node.start()
        assert await node.ask(branch(3, 1)) == ""


async def test_a_custodian_that_lacks_earlier_entries_gets_them_first(nodes):
    asker = branch(5000, 1)
    one = nodes["lender-1"]
    for block in blocks_from(asker.log(ASKER), 0):
        await one.gossip.take(block)
    for name in ("lender-2", "lender-3", "lender-4"):
        for block in list(blocks_from(asker.log(ASKER), 0))[:3]:
            await nodes[name].gossip.take(block)
    log = asker.log(ASKER)
    request = peer_pb2.DecryptRequest(receipt=log.receipt(log.size - 1).encode())
    await one.custody.decrypt(ASKER, request)
    assert sum(nodes[name].held.log(ASKER).size == log.size for name in OTHERS) >= 3


def tail_of(asker: Chain) -> peer_pb2.Block:
    return next(iter(blocks_from(asker.log(ASKER), 0)))


async def test_what_custodians_have_pushed_themselves_is_not_sent_back_to_them(nodes):
    asker = branch(3, 1)
    for name in ("lender-3", "lender-4"):
        await nodes["lender-1"].gossip.pushed(name, tail_of(asker))
    assert await nodes["lender-1"].ask(asker) == ""
    assert [nodes[name].was_pushed for name in OTHERS] == [0, 0, 0, 0]


async def test_nobody_is_believed_for_another(nodes):
    asker = branch(3, 1)
    await nodes["lender-1"].gossip.pushed(ASKER, tail_of(asker))
    assert await nodes["lender-1"].ask(asker) == ""
    assert sum(nodes[name].was_pushed for name in OTHERS) == 2
    assert sum(nodes[name].held.log(ASKER).size == 4 for name in OTHERS) == 3


async def test_a_push_that_was_not_looked_at_says_nothing_of_who_pushed(nodes):
    """It begins beyond what is held, so it may be of any history."""
    asker = branch(3, 1)
    unseen = next(iter(blocks_from(asker.log(ASKER), 3)))
    for name in ("lender-2", "lender-3", "lender-4"):
        assert await nodes["lender-1"].gossip.pushed(name, unseen) == 0
    assert await nodes["lender-1"].ask(asker) == ""
    assert sum(nodes[name].held.log(ASKER).size == 4 for name in OTHERS) == 3
