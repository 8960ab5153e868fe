"""A fork that one node finds freezes the log at all of them, for ever, with evidence in a log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest
from plimsoll.v1 import entry_pb2, peer_pb2

from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain
from ledger.chain.own_log import OwnLog
from ledger.errors import Unverified
from ledger.tlog.note import Note
from ledger.witnessing.evidence import evidence_of, read_evidence
from ledger.witnessing.fork import Fork
from node.chain.freezing import is_astray, set_strays_aside
from tests.ledger.witnesses import chain_of, cosigned, head_of, history, name, signer
from tests.node.witnesses import MANIFEST, NOW, Node, network

LIAR = 5
ORIGIN = MANIFEST.origin(name(LIAR))
COMMON = 3


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(node.freezing.run()) for node in nodes]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(holds, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 -- what is waited for is in other parts' hands
            await asyncio.sleep(0.01)


def branch(number: int, size: int) -> Chain:
    """The liar's history of this number, in a chain of its own."""
    chain = chain_of(MANIFEST)
    OwnLog(chain.log(name(LIAR)), signer(LIAR)).append(history(size, number, COMMON))
    return chain


async def show(node: Node, chain: Chain) -> None:
    for block in blocks_from(chain.log(name(LIAR)), 0):
        await node.gossip.take(block)


def witnessed_note(number: int, size: int, by: tuple[int, ...] = (1, 2, 3)) -> bytes:
    return cosigned(head_of(history(size, number, COMMON), MANIFEST, LIAR), MANIFEST, dict.fromkeys(by, NOW))


def evidences(node: Node, of: int) -> list[bytes]:
    """As this node holds them in another's log."""
    return [raw for _, raw in node.chain.log(name(of)).entries_by_kind("evidence")]


@pytest.mark.parametrize(("here", "there"), [(5, 5), (4, 9), (9, 4)])
async def test_who_finds_a_fork_freezes_publishes_and_alerts_and_all_readers_freeze(threads, here, there):
    nodes = network(threads)[:4]
    async with running(*nodes):
        await show(nodes[0], branch(1, here))
        with pytest.raises(Fork):
            await show(nodes[0], branch(2, there))
        await until(lambda: evidences(nodes[0], 1))
        for node in nodes[1:]:
            for block in blocks_from(nodes[0].chain.log(name(1)), 0):
                await node.gossip.take(block)
        await until(lambda: all(node.chain.frozen(ORIGIN) for node in nodes))
    for node in nodes:
        assert "two histories" in node.gossip.problems[ORIGIN]
        assert node.chain.log(node.member).size == (1 if node is nodes[0] else 0)  # readers do not repeat it
    (raw,) = evidences(nodes[3], 1)
    assert read_evidence(raw, MANIFEST.log_key(name(LIAR))).origin == ORIGIN


async def test_a_frozen_log_takes_nothing_more_and_its_author_is_not_served(threads):
    (node, *_) = network(threads)
    async with running(node):
        await show(node, branch(1, 5))
        with pytest.raises(Fork):
            await show(node, branch(2, 5))
        await until(lambda: node.chain.frozen(ORIGIN))
        for number in (1, 2):
            with pytest.raises(Unverified) as refused:
                await show(node, branch(number, 8))
            assert refused.value.reason == "FORK"
        with pytest.raises(Unverified):
            node.gossip.check_one_history(name(LIAR))
        assert node.chain.log(name(LIAR)).size == 5
        beat = cosigned(head_of(history(5, 1, COMMON), MANIFEST, LIAR), MANIFEST, {LIAR: NOW})
        with pytest.raises(Unverified) as refused:
            await node.witnessing.answer(name(LIAR), peer_pb2.WitnessRequest(head=beat))
        assert refused.value.reason == "FORK"


async def test_a_crash_between_keeping_and_publishing_leaves_nothing_unpublished(threads):
    (node, *_) = network(threads)
    await show(node, branch(1, 5))
    with pytest.raises(Fork) as found:
        await show(node, branch(2, 5))
    evidence = evidence_of(found.value, MANIFEST.log_key(name(LIAR)))
    assert evidence is not None
    node.chain.freezer.freeze(ORIGIN, evidence.encode())
    again = Node(1, threads, node.store)
    assert "two histories" in again.gossip.problems[ORIGIN]
    async with running(again):
        await until(lambda: evidences(again, 1))
    after = Node(1, threads, node.store)
    async with running(after):
        await asyncio.sleep(0.2)
    assert len(evidences(after, 1)) == 1


async def test_evidence_that_proves_nothing_freezes_nobody(threads):
    nodes = network(threads)
    good, other = (head_of(history(5, number), MANIFEST, LIAR) for number in (1, 2))
    first, second = sorted((good, other), key=lambda one: one.head.root)

    def forged(known: Note, conflicting: Note, **more: Any) -> bytes:
        message = entry_pb2.Evidence(origin=ORIGIN, known=known.encode(), conflicting=conflicting.encode(), **more)
        return entry_pb2.Entry(time=NOW, evidence=message).SerializeToString()

    later = head_of(history(9, 1), MANIFEST, LIAR)
    stranger = head_of(history(5, 2), MANIFEST, 4)
    bad = [
        forged(second.note, first.note),
        forged(first.note, first.note),
        forged(good.note, later.note, old_root=bytes(32)),
        forged(good.note, stranger.note),
    ]
    async with running(*nodes[:2]):
        await nodes[0].committer.append(bad)
        await show_all(nodes[0], nodes[1])
        await asyncio.sleep(0.2)
        assert not nodes[0].chain.frozen(ORIGIN)
        assert not nodes[1].chain.frozen(ORIGIN)
        await nodes[0].committer.append([forged(first.note, second.note)])
        await show_all(nodes[0], nodes[1])
        await until(lambda: nodes[0].chain.frozen(ORIGIN) and nodes[1].chain.frozen(ORIGIN))


async def show_all(from_: Node, to: Node) -> None:
    held = to.chain.log(from_.member)
    for block in blocks_from(from_.chain.log(from_.member), held.size):
        await to.gossip.take(block)


async def test_a_frozen_log_is_fetched_up_to_where_it_was_witnessed_and_no_further(threads):
    nodes = network(threads)
    one, other = nodes[:2]
    await show(one, branch(1, 7))
    async with running(one, other):
        with pytest.raises(Fork):
            await show(one, branch(2, 7))
        await until(lambda: evidences(one, 1))
        await other.witnessing.learn([witnessed_note(1, 5)])
        await show_all(one, other)
        await until(lambda: other.chain.frozen(ORIGIN))
        await other.gossip._compare(other.gossip._peers[name(1)])
        assert other.chain.log(name(LIAR)).size >= 5
        assert other.freezing.witnessed(ORIGIN) == witnessed_note(1, 5)
        with pytest.raises(Unverified):
            await show(other, branch(1, 9))


async def test_two_witnessed_heads_that_conflict_name_everybody_who_cosigned_both(threads):
    """The author has two helpers, of five members."""
    (node, *_) = network(threads)
    await show(node, branch(1, 6))
    async with running(node):
        await node.witnessing.learn([witnessed_note(1, 5, by=(1, 2, 3))])
        await node.witnessing.learn([witnessed_note(2, 5, by=(2, 3, 4))])
        await until(lambda: node.freezing.conflicting(ORIGIN) and node.chain.frozen(ORIGIN))
        (alert,) = node.freezing.alerts()
    assert ORIGIN in alert
    assert "lender-2, lender-3" in alert
    assert "lender-1" not in alert
    again = Node(1, threads, node.store)
    assert again.freezing.conflicting(ORIGIN)
    assert again.freezing.alerts() == [alert]


async def test_conflicting_witnessed_heads_of_different_sizes_are_found_too(threads):
    (node, *_) = network(threads)
    await show(node, branch(1, 9))
    async with running(node):
        await node.witnessing.learn([witnessed_note(1, 8, by=(1, 2, 3))])
        await node.witnessing.learn([witnessed_note(2, 5, by=(2, 3, 4))])
        await until(lambda: node.chain.frozen(ORIGIN))
        await until(lambda: node.freezing.conflicting(ORIGIN))


async def test_a_node_that_held_the_other_branch_begins_it_anew_and_keeps_the_old_one(threads):
    nodes = network(threads)
    await show(nodes[0], branch(2, 6))
    await show(nodes[1], branch(1, 6))
    async with running(nodes[0]):
        await nodes[0].witnessing.learn([witnessed_note(1, 5)])
        await until(lambda: nodes[0].chain.frozen(ORIGIN))
        assert is_astray(nodes[0].chain, nodes[0].witnessed, ORIGIN)
        assert any("restart" in alert for alert in nodes[0].freezing.alerts())
    pairs = len(nodes[0].store.snapshot())
    again = Node(1, threads, nodes[0].store)
    set_strays_aside(again.chain, again.witnessed)
    assert len(nodes[0].store.snapshot()) >= pairs
    log = again.chain.log(name(LIAR))
    assert log.size == 0
    with pytest.raises(Unverified):
        await show(again, branch(2, 6))
    assert log.size == 0
    await show(again, branch(1, 6))
    assert log.root_at(5) == head_of(history(5, 1, COMMON), MANIFEST, LIAR).head.root
    assert not is_astray(again.chain, again.witnessed, ORIGIN)


async def test_a_member_whose_own_log_has_two_histories_says_no_more(threads):
    nodes = network(threads)
    liar = nodes[LIAR - 1]
    await liar.committer.append(history(5, 1, COMMON))
    async with running(liar):
        with pytest.raises(Fork):
            await show(liar, branch(2, 5))
        await until(lambda: liar.chain.frozen(ORIGIN))
        with pytest.raises(Unverified):
            await liar.committer.append(history(1, 9))
        await liar.beat()
    assert liar.chain.log(liar.member).size == 5
    assert all(node.arrivals.age(ORIGIN, node.clock.monotonic()) is None for node in nodes)
