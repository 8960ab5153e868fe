"""As much of a node as takes feeds, in process, over any two stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from plimsoll.v1 import entry_pb2, lender_pb2, sealed_pb2

from ledger.chain.chain import Chain, OwnLog
from ledger.consortium.history import History
from ledger.consortium.manifest import parse_manifest
from ledger.errors import PlimsollError
from ledger.tlog.note import Signer
from node.chain.arrivals import Arrivals
from node.chain.committer import Committer
from node.chain.guard import SelfForkGuard
from node.consortium import Consortium
from node.lending.book import Book
from node.lending.reporting import Reporting
from node.lending.shelf import Shelf
from node.lending.workers import Workers
from node.upkeep.fsck_book import check_book
from node.upkeep.fsck_report import OK, Finding
from node.upkeep.stores import log_names
from tests.e2e.feeds import row
from tests.ledger import sample_consortium as sample
from tests.lenders import lender, manifest_text, seeded

MANIFEST = parse_manifest(manifest_text(3))
KEYRING = lender(1).keyring
ME = KEYRING.member
KEYS = sample.deal(3, 2, seeded("keys")).public
BORROWERS = [f"test:{number}" for number in range(7)]


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


def told(node: Node) -> dict[str, bytes]:
    """What the book says of each borrower."""
    records = node.book.get_many(BORROWERS)
    return {record.borrower: without_chance(record) for record in records if record is not None}


def without_chance(record: sealed_pb2.BookRecord) -> bytes:
    return record.SerializeToString(deterministic=True)


def check(node: Node) -> None:
    assert node.chain.verify(MANIFEST.origin(ME)) == node.chain.log(ME).size
    found = fsck(node)
    assert (found.verdict, found.size) == (OK, len(BORROWERS)), found


def fsck(node: Node, *, repair: bool = False) -> Finding:
    """What fsck says of the node's book."""
    return check_book(node.book, [(node.chain.log(ME), None)], KEYRING, MANIFEST, repair, lambda *_: None)
