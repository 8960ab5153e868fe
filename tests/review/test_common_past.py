"""A log that forks after hours of honest life: what was witnessed before the branches parted speaks against nobody."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from node.chain.freezing import is_astray, set_strays_aside
from tests.ledger.witnesses import cosigned, head_of, history, name
from tests.node.chain.test_freezing import COMMON, LIAR, ORIGIN, branch, running, show, until, witnessed_note
from tests.node.witnesses import MANIFEST, NOW, Node, network

LONG_AGO = NOW - 7200


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


async def test_who_holds_the_branch_that_was_not_witnessed_accuses_no_witness_and_gets_the_other_one(threads):
    """The author alone lies: it shows one branch to one node, and has the other one witnessed by the rest."""
    (node, *_) = network(threads)
    past = cosigned(head_of(history(COMMON), MANIFEST, LIAR), MANIFEST, dict.fromkeys((1, 2, 3), LONG_AGO))
    await show(node, branch(1, 6))
    await node.witnessing.learn([past])
    async with running(node):
        await node.witnessing.learn([witnessed_note(2, 5, by=(2, 3, 4))])
        await until(lambda: node.chain.frozen(ORIGIN))
        await until(lambda: is_astray(node.chain, node.witnessed, ORIGIN))
        assert not node.freezing.conflicting(ORIGIN)
        assert not any("cosigned by both" in alert for alert in node.freezing.alerts())
    again = Node(1, threads, node.store)
    set_strays_aside(again.chain, again.witnessed)
    await show(again, branch(2, 5))
    assert again.chain.log(name(LIAR)).size == 5
    assert not is_astray(again.chain, again.witnessed, ORIGIN)


async def test_a_conflict_is_told_to_who_could_not_tell_by_what_it_held(threads):
    """The author has two helpers, and the smaller of the two witnessed heads is of the branch that a node holds."""
    one, other, *_ = network(threads)
    await show(one, branch(1, 9))
    async with running(one):
        await one.witnessing.learn([witnessed_note(2, 5, by=(2, 3, 4))])
        await one.witnessing.learn([witnessed_note(1, 8, by=(1, 2, 3))])
        await until(lambda: one.freezing.conflicting(ORIGIN))
    assert witnessed_note(2, 5, by=(2, 3, 4)) in one.witnessing.notes()
    await show(other, branch(1, 8))
    async with running(other):
        await other.witnessing.learn(one.witnessing.notes())
        await until(lambda: other.freezing.conflicting(ORIGIN))
