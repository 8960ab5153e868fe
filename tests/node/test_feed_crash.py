"""A failure at every write of two feeds, of chain and of book, lost or kept: whoever sends the feeds again ends where
an undisturbed run ends, nothing acknowledged is lost, and nothing is published twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from plimsoll.v1 import sealed_pb2

from ledger.chain.chain import Chain
from ledger.chain.memory_store import Fault, MemoryStore
from node.lending import rebuild, reporting
from node.upkeep.stores import log_names
from tests.ledger.stores import Faulty
from tests.node.taking_feeds import BORROWERS, MANIFEST, ME, Node, check, feed, told

BATCH = 3  # so that two feeds of seven borrowers take several commits


@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(reporting, "BATCH", BATCH)


def undisturbed(executor: ThreadPoolExecutor) -> tuple[dict[str, bytes], int, int, int]:
    """What the book says at the end; positions; writes of chain and of book."""
    chain, book = MemoryStore(), MemoryStore()
    node = Node(chain, book, executor)
    opened = chain.writes
    for month, published in ((1, 6), (2, 5)):
        said, error = node.report(feed(month))
        assert error is None
        assert said[-1].summary.published == published
    check(node)
    return told(node), node.chain.log(ME).counts[2], chain.writes - opened, book.writes


def run_with_a_fault(executor: ThreadPoolExecutor, which: str, at: int, fault: Fault, reopen: bool) -> Node:
    """Both feeds, each sent until it is taken. reopen: every failure ends the process."""
    disks = {"chain": MemoryStore(), "book": MemoryStore()}
    Chain(disks["chain"], log_names(MANIFEST))
    make = Faulty if reopen else FailsOnce
    stores: dict[str, Any] = {**disks, which: make(disks[which], {at: fault})}
    node = Node(stores["chain"], stores["book"], executor)
    failures = 0
    for month in (1, 2):
        while True:
            said, error = node.report(feed(month))
            acknowledged = max((each.done for each in said if each.phase == "encrypting"), default=0)
            if error is None:
                break
            assert error.reason in ("STORE_FAILED", "STORE_CONFLICT"), error
            failures += 1
            if reopen:
                node = Node(MemoryStore(disks["chain"].snapshot()), MemoryStore(disks["book"].snapshot()), executor)
                disks = {"chain": node.chain_store, "book": node.book_store}
            assert node.chain.log(ME).counts.get(2, 0) >= acknowledged + (6 if month == 2 else 0)
    assert failures == 1
    return node


class FailsOnce(Faulty):
    """One write fails, and the next is taken, as where a full disk has got room again."""

    def write(self, *arguments: Any, **keywords: Any) -> None:
        self._failed = False
        super().write(*arguments, **keywords)


@pytest.mark.parametrize("reopen", [True, False], ids=["crash", "goes-on"])
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("which", ["chain", "book"])
def test_a_failure_at_every_write_ends_as_an_undisturbed_run(executor, which, fault, reopen):
    expected, positions, *writes = undisturbed(executor)
    count = writes[0] if which == "chain" else writes[1]
    assert count >= 6
    for at in range(count):
        node = run_with_a_fault(executor, which, at, fault, reopen)
        check(node)
        assert told(node) == expected, (which, at, fault)
        assert node.chain.log(ME).counts[2] == positions, (which, at, fault)
        said, error = node.report(feed(2))
        assert error is None
        assert said[-1].summary.published == 0


def test_a_lost_book_is_the_same_again_out_of_the_log(executor):
    chain = MemoryStore()
    node = Node(chain, MemoryStore(), executor)
    for month in (1, 2):
        node.report(feed(month))
    published = {borrower for borrower, raw in told(node).items() if sealed_pb2.BookRecord.FromString(raw).published}
    expected = {borrower: raw for borrower, raw in told(node).items() if borrower in published}
    again = Node(MemoryStore(chain.snapshot()), MemoryStore(), executor)
    said, error = again.report([])
    assert error is None
    assert [each.phase for each in said].count("book") >= 1
    for borrower, raw in told(again).items():
        was, now = sealed_pb2.BookRecord.FromString(expected[borrower]), sealed_pb2.BookRecord.FromString(raw)
        if borrower == BORROWERS[2]:  # a date that changed no figure was never published
            del was.loans[:], now.loans[:]
        assert was == now
    check(again)


@pytest.mark.parametrize("fault", Fault)
def test_a_rebuild_that_is_killed_at_any_write_goes_on_where_it_was(executor, monkeypatch, fault):
    monkeypatch.setattr(rebuild, "BATCH", 3)
    chain = MemoryStore()
    node = Node(chain, MemoryStore(), executor)
    for month in (1, 2):
        node.report(feed(month))
    whole = Node(MemoryStore(chain.snapshot()), MemoryStore(), executor)
    whole.report([])
    writes = whole.book_store.writes
    assert writes >= 4
    for at in range(writes):
        disk = MemoryStore()
        _, error = Node(MemoryStore(chain.snapshot()), Faulty(disk, {at: fault}), executor).report([])
        assert error is not None
        again = Node(MemoryStore(chain.snapshot()), MemoryStore(disk.snapshot()), executor)
        said, error = again.report([])
        assert error is None
        if at and fault is Fault.KEPT and at < writes - 1:  # it does not begin from the start
            assert said[0].done > 3
        assert told(again) == told(whole)
        check(again)
