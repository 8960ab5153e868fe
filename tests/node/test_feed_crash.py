"""A failure at every write of two feeds, of chain and of book, lost or kept: whoever sends the feeds again ends where
an undisturbed run ends, nothing acknowledged is lost, and nothing is published twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2, sealed_pb2

from ledger.chain import Chain, OwnLog
from ledger.errors import PlimsollError
from ledger.history import History
from ledger.manifest import parse_manifest
from ledger.memory_store import Fault, MemoryStore
from ledger.note import Signer
from node import reporting
from node.arrivals import Arrivals
from node.book import Book
from node.committer import Committer
from node.consortium import Consortium
from node.fsck_book import check_book
from node.fsck_report import OK
from node.guard import SelfForkGuard
from node.reporting import Reporting
from node.shelf import Shelf
from node.stores import log_names
from node.workers import Workers
from tests.e2e.feeds import row
from tests.ledger import consortium as sample
from tests.ledger.stores import Faulty
from tests.lenders import lender, manifest_text, seeded

MANIFEST = parse_manifest(manifest_text(3))
KEYRING = lender(1).keyring
ME = KEYRING.member
KEYS = sample.deal(3, 2, seeded("keys")).public
BORROWERS = [f"test:{number}" for number in range(7)]
BATCH = 3  # so that two feeds of seven borrowers take several commits


def feed(month: int) -> list[lender_pb2.FeedRow]:
    """In the second month one loan is paid off, one unchanged, one has another date only, and one more is there."""
    rows = [row(borrower, 10_000 + 100 * month, line=place + 2) for place, borrower in enumerate(BORROWERS[:-1])]
    if month == 2:
        rows[0] = row(BORROWERS[0], 0, status="closed", as_of="2025-07-31", line=2)
        rows[1] = row(BORROWERS[1], 10_100, line=3)
        rows[2] = row(BORROWERS[2], 10_100, as_of="2025-07-31", line=4)
        rows.append(row(BORROWERS[-1], 5_000, line=9))
    return rows


class Pseudonyms:
    """Custodians' answers without custodians; kept in the book by the node's own code, after an Evaluation."""

    batch = 4

    def __init__(self, shelf: Shelf, committer: Committer) -> None:
        self._shelf = shelf
        self._committer = committer

    async def obtain(self, borrowers: Sequence[str]) -> None:
        await self._committer.append([sample_evaluation(len(borrowers))])
        self._shelf.introduce([(borrower, seeded(f"key of {borrower}")(64)) for borrower in borrowers])


def sample_evaluation(count: int) -> bytes:
    evaluation = entry_pb2.Evaluation(epoch=1, count=count, batch_digest=bytes(32))
    return entry_pb2.Entry(time=sample.START, evaluation=evaluation).SerializeToString()


@dataclass
class Node:
    """As much of one as takes feeds, over these two stores."""

    chain_store: Any
    book_store: Any
    executor: ThreadPoolExecutor
    chain: Chain = field(init=False)
    book: Book = field(init=False)
    reporting: Reporting = field(init=False)

    def __post_init__(self) -> None:
        self.chain = Chain(self.chain_store, log_names(MANIFEST))
        self.book = Book(self.book_store, KEYRING.book_key, seeded("book"))
        consortium = Consortium(ME, History([MANIFEST]))
        own = OwnLog(self.chain.log(ME), Signer.from_seed(MANIFEST.origin(ME), KEYRING.log_seed))
        gossip: Any = SimpleNamespace(check_one_history=lambda member: None, grown=lambda origin: None)
        committer = Committer(own, SelfForkGuard(2, alone=True), gossip, Arrivals(30), self.executor)
        shelf = Shelf(consortium, KEYRING, lambda: own.log, self.book)
        custody: Any = SimpleNamespace(keys=KEYS)
        pseudonyms: Any = Pseudonyms(shelf, committer)
        self.reporting = Reporting(
            consortium, KEYRING, lambda: own.log, shelf, custody, pseudonyms, committer, Workers(1), seeded("run")
        )

    def report(self, rows: list[lender_pb2.FeedRow]) -> tuple[list[lender_pb2.ReportResponse], PlimsollError | None]:
        """What it said, and how it ended."""
        said: list[lender_pb2.ReportResponse] = []

        async def requests() -> AsyncIterator[lender_pb2.ReportRequest]:
            yield lender_pb2.ReportRequest(rows=rows)

        async def run() -> None:
            async for response in self.reporting.report(requests()):
                said.append(response)  # noqa: PERF401 -- what was said counts, also where it fails then

        try:
            asyncio.run(run())
        except PlimsollError as error:
            return said, error
        return said, None


@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(reporting, "BATCH", BATCH)


def told(node: Node) -> dict[str, bytes]:
    """What the book says of each borrower."""
    records = node.book.get_many(BORROWERS)
    return {record.borrower: without_chance(record) for record in records if record is not None}


def without_chance(record: sealed_pb2.BookRecord) -> bytes:
    return record.SerializeToString(deterministic=True)


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


def check(node: Node) -> None:
    assert node.chain.verify(MANIFEST.origin(ME)) == node.chain.log(ME).size
    found = check_book(node.book, node.chain.log(ME), KEYRING, MANIFEST, False, lambda *_: None)
    assert (found.verdict, found.size) == (OK, len(BORROWERS))


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
