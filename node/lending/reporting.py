"""Taking a feed (design sections 3 and 6): rows into the book, changed positions onto the chain.

Order of things, so that a crash at any point and a second run end in the same state:
1. everything is read and folded against the book before anything is changed;
2. pseudonym keys that the book lacks are obtained and stored;
3. positions are encrypted and appended, durable, a batch at a time and in ascending order of label over the whole feed;
4. after each batch the book learns what was published and of which loans.
A crash between 3 and 4 leaves the book behind the chain. It says how far it has got, and before the next feed is read
what the positions since then say is taken out of their sealed copies.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from plimsoll.v1 import lender_pb2

from ledger.borrower.labels import BorrowerKeys
from ledger.chain.chain import Log
from ledger.errors import PlimsollError, Unready
from ledger.positions.bands import Bands
from ledger.positions.feed import FeedLoan, FeedReader, Rejected
from ledger.positions.feed_fold import Folded, fold_feed
from ledger.positions.feed_guard import Difference
from ledger.positions.position import Position, fold
from ledger.positions.publication import Publication, PublicationTask, publish
from ledger.queries.inquiry import DAY
from node.chain.committer import Committer
from node.clock import Clock
from node.consortium import Consortium
from node.custody.custody import Custody
from node.homes.keyring import Keyring
from node.lending.guarding import FeedGuard
from node.lending.pseudonyms import Pseudonyms
from node.lending.shelf import Shelf, loans_of, position_of, recorded
from node.lending.workers import Workers
from node.upkeep.ending import to_its_end

T = TypeVar("T")
Rng = Callable[[int], bytes]
log = structlog.get_logger()

#: Seconds between two looks whether the book is behind.
_IDLE = 5.0
#: Borrowers folded, or positions encrypted and appended, at a time.
BATCH = 256
#: Below so many positions a process pool is not worth starting.
BULK = 128
#: Rejections that a summary lists.
MAX_LISTED = 10_000


@dataclass
class _Run:
    """One feed on its way. Everything here is private; nothing of it is logged."""

    strict: bool = False
    read: int = 0
    rows: list[FeedLoan] = field(default_factory=list, repr=False)
    rejected: list[Rejected] = field(default_factory=list, repr=False)
    folded: dict[str, Folded] = field(default_factory=dict, repr=False)
    difference: Difference = field(default_factory=Difference)
    held: lender_pb2.HeldFeed | None = None
    accepted: int = 0
    unchanged: int = 0
    published: int = 0
    closed: int = 0


@dataclass(frozen=True)
class _Due:
    """A position to be published: the borrower's record as it is, and what it is to say."""

    label: bytes = field(repr=False)
    borrower: str = field(repr=False)
    position: Position = field(repr=False)


class Reporting:
    """One feed at a time; the next one waits."""

    def __init__(
        self,
        consortium: Consortium,
        keyring: Keyring,
        own: Callable[[], Log],
        shelf: Shelf,
        custody: Custody,
        pseudonyms: Pseudonyms,
        committer: Committer,
        workers: Workers,
        rng: Rng,
        clock: Clock | None = None,
        guard: FeedGuard | None = None,
    ) -> None:
        """own: the log that this node writes. guard: keeps feeds back that would change too much; None: takes all."""
        self._consortium = consortium
        self._keyring = keyring
        self._own = own
        self._shelf = shelf
        self._custody = custody
        self._pseudonyms = pseudonyms
        self._committer = committer
        self._workers = workers
        self._rng = rng
        self._clock = clock or Clock()
        self._guard = guard
        self._turn = asyncio.Lock()
        self._rebuilding = False

    async def report(
        self, requests: AsyncIterator[lender_pb2.ReportRequest], sender: str = ""
    ) -> AsyncIterator[lender_pb2.ReportResponse]:
        """Progress, then the summary. sender: the name of the certificate that sends it. Raises Unready before the keys
        are there, and before this node may sign: until then its log may lack positions, and the book what they say."""
        await self._ready()
        async with self._turn:
            async for progress in self._catch_up():
                yield progress
            run = _Run()
            async for progress in self._read(requests, run):
                yield progress
            await self._fold(run)
            if run.strict and run.rejected:
                run.accepted = 0
            elif not await self._kept_back(run, sender):
                async for progress in self._publish(run):
                    yield progress
                await self._taken(run)
            yield self._summary(run)

    async def release(self, identity: str, by: str) -> AsyncIterator[lender_pb2.ReportResponse]:
        """Takes a feed that was kept back, folded against the book as it is now. by: the name of the certificate of who
        lets it pass. Raises as `report`, and as `FeedGuard.released`."""
        await self._ready()
        async with self._turn:
            async for progress in self._catch_up():
                yield progress
            rows = await to_its_end(self.guard.released, identity, by)
            run = _Run(read=len(rows), rows=rows)
            await self._fold(run)
            async for progress in self._publish(run):
                yield progress
            await self._taken(run, identity)
            yield self._summary(run)

    async def discard(self, identity: str, by: str) -> None:
        """Throws a feed away that is kept back. Raises as `FeedGuard.discard`."""
        async with self._turn:
            await to_its_end(self.guard.discard, identity, by)

    @property
    def guard(self) -> FeedGuard:
        """Knows what is kept back. Raises Unready where there is none."""
        if self._guard is None:
            raise Unready("NO_GUARD", "this node keeps no feeds back")
        return self._guard

    async def _ready(self) -> None:
        if self._custody.keys is None:
            raise Unready("NO_KEYS", "the key ceremony is not final yet")
        await self._committer.may_sign()

    async def _kept_back(self, run: _Run, sender: str) -> bool:
        """Whether the guard keeps the feed; then nothing of it is taken."""
        if self._guard is not None:
            why = await asyncio.to_thread(self._guard.check, run.difference, self._shelf.count())
            if why:
                now = int(self._clock.unix())
                run.held = await to_its_end(self._guard.keep, run.rows, run.difference, why, sender, now)
                run.accepted = 0
        run.rows = []
        return run.held is not None

    async def _taken(self, run: _Run, released: str | None = None) -> None:
        if self._guard is not None:
            await to_its_end(self._guard.taken, run.accepted, released)

    async def keep_book(self) -> None:
        """For ever: the book is brought up to the log as soon as that is whole, so that feeds need not wait for it."""
        await self._committer.opened()
        while True:
            async with self._turn:
                try:
                    async for _ in self._catch_up():
                        pass
                except PlimsollError as error:  # a feed tries again, and its sender is told
                    log.error("the book could not be brought up to the log", why=str(error))
            await asyncio.sleep(_IDLE)

    @property
    def is_rebuilding(self) -> bool:
        """Whether the book is being brought up to the log."""
        return self._rebuilding

    async def _catch_up(self) -> AsyncIterator[lender_pb2.ReportResponse]:
        """The book learns what the log has and it has not: after a crash, a restored backup, the loss of the disk."""
        if not await asyncio.to_thread(self._shelf.is_behind):
            return
        log.info("the book is behind the log and is brought up to it", log_size=self._own().size)
        steps = self._shelf.catch_up()
        self._rebuilding = True
        try:
            while (done := await to_its_end(next, steps, None)) is not None:
                yield lender_pb2.ReportResponse(phase="book", done=done, total=self._own().size)
        finally:
            self._rebuilding = False
        log.info("the book is up to the log", borrowers=await asyncio.to_thread(self._shelf.count))

    async def _read(
        self, requests: AsyncIterator[lender_pb2.ReportRequest], run: _Run
    ) -> AsyncIterator[lender_pb2.ReportResponse]:
        reader = FeedReader(self._consortium.manifest.currency, int(self._clock.unix()) // DAY)
        first = True
        async for request in requests:
            if first:
                run.strict, first = request.strict, False
            taken, rejected = await asyncio.to_thread(reader.read, request.rows)
            run.read += len(request.rows)
            run.rows += taken
            run.rejected += rejected
            yield lender_pb2.ReportResponse(phase="reading", done=run.read)

    async def _fold(self, run: _Run) -> None:
        """Every borrower of the feed against the book; nothing is written but what a crash left to be written."""
        rows: dict[str, list[FeedLoan]] = {}
        for row in run.rows:
            rows.setdefault(row.borrower, []).append(row)
        for borrowers in _batches(rows, BATCH):
            folded = await to_its_end(self._fold_batch, borrowers, rows, run.difference)
            run.folded.update(folded)
        for one in run.folded.values():
            run.accepted += one.accepted
            run.rejected += one.rejected

    def _fold_batch(
        self, borrowers: Sequence[str], rows: dict[str, list[FeedLoan]], difference: Difference
    ) -> dict[str, Folded]:
        held = {record.borrower: loans_of(record) for record in self._shelf.take(borrowers).values()}
        folded = fold_feed((row for borrower in borrowers for row in rows[borrower]), held)
        for borrower, one in folded.items():
            difference.add(held.get(borrower, ()), one.loans, one.accepted)
        return folded

    async def _publish(self, run: _Run) -> AsyncIterator[lender_pb2.ReportResponse]:
        strangers = await asyncio.to_thread(self._shelf.strangers, [b for b, one in run.folded.items() if one.accepted])
        done = 0
        for borrowers in _batches(strangers, self._pseudonyms.batch):
            await self._pseudonyms.obtain(borrowers)
            done += len(borrowers)
            yield lender_pb2.ReportResponse(phase="pseudonyms", done=done, total=len(strangers))
        due = await self._due(run)
        done = 0
        tasks = (self._task(run, batch) for batch in _batches(due, BATCH))
        batches = _batches(due, BATCH)
        async for entries in self._workers.map_ordered(publish, tasks, bulk=len(due) >= BULK):
            index = await self._committer.append(entries)
            batch = next(batches)
            await to_its_end(self._record, run, batch, index + len(entries))
            done += len(batch)
            yield lender_pb2.ReportResponse(phase="encrypting", done=done, total=len(due))

    async def _due(self, run: _Run) -> list[_Due]:
        """What is to be published, in ascending order of label: the feed's own order must not link two months."""
        due: list[_Due] = []
        for borrowers in _batches(run.folded, BATCH):
            due += await to_its_end(self._due_batch, run, borrowers)
        due.sort(key=lambda one: one.label)
        return due

    def _due_batch(self, run: _Run, borrowers: Sequence[str]) -> list[_Due]:
        manifest = self._consortium.manifest
        policy = manifest.policy
        bands = Bands.from_major(policy.bands, policy.overdue_bands, manifest.minor_per_major)
        records = self._shelf.take(borrowers)
        due, touched = [], []
        for borrower in borrowers:
            folded, record = run.folded[borrower], records.get(borrower)
            if record is None or not folded.loans:
                continue
            position = fold(folded.loans, bands)
            published = position_of(record)
            # A borrower whose loans were all closed before anything was published has nothing to be closed.
            if position.closed if published is None else published.says_the_same_as(position):
                run.unchanged += 1
                if folded.changed:
                    touched.append(recorded(record, folded.loans))
                continue
            labels = BorrowerKeys.from_pseudonym_key(record.pseudonym_key).query.positions(self._keyring.member)
            due.append(_Due(labels(record.published), borrower, position))
        self._shelf.put(touched)
        return due

    def _task(self, run: _Run, batch: Sequence[_Due]) -> PublicationTask:
        keys = self._custody.keys
        assert keys is not None
        records = self._shelf.take([due.borrower for due in batch])
        return PublicationTask(
            consortium=self._consortium.id,
            member=self._keyring.member,
            epoch=keys.epoch,
            public_keys=keys.fields,
            backup_key=self._keyring.backup_key,
            hedge_secret=self._keyring.hedge_secret,
            seed=self._rng(32),
            time=int(self._clock.unix()),
            items=tuple(
                Publication(
                    label=due.label,
                    borrower=due.borrower,
                    number=records[due.borrower].published,
                    pseudonym_key=records[due.borrower].pseudonym_key,
                    loans=run.folded[due.borrower].loans,
                    position=due.position,
                )
                for due in batch
            ),
        )

    def _record(self, run: _Run, batch: Sequence[_Due], through: int) -> None:
        """The book learns what the chain holds, now up to the index `through`."""
        records = self._shelf.take([due.borrower for due in batch], heal=False)
        self._shelf.put(
            [recorded(records[due.borrower], run.folded[due.borrower].loans, due.position) for due in batch], through
        )
        run.published += len(batch)
        run.closed += sum(due.position.closed for due in batch)

    def _summary(self, run: _Run) -> lender_pb2.ReportResponse:
        run.rejected.sort(key=lambda one: one.line)
        summary = lender_pb2.ReportSummary(
            read=run.read,
            accepted=run.accepted,
            rejected=len(run.rejected),
            rejections=[one.to_proto() for one in run.rejected[:MAX_LISTED]],
            published=run.published,
            closed=run.closed,
            unchanged=run.unchanged,
            log_size=self._own().size,
            held=run.held,
        )
        return lender_pb2.ReportResponse(phase="done", done=run.read, total=run.read, summary=summary)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
