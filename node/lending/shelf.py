"""The book and the chain held against each other: a record is never older than what this lender has published.

The chain is written first, then the book. Where a crash fell in between, the chain has the borrower's next position;
its sealed copy says what the book should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from plimsoll.v1 import sealed_pb2

from ledger.borrower.labels import BorrowerKeys
from ledger.chain.chain import Log
from ledger.positions.loan import Loan
from ledger.positions.position import Position
from ledger.positions.position_entry import PositionEntry
from ledger.positions.sealed_copy import open_copy
from node.consortium import Consortium
from node.homes.keyring import Keyring
from node.lending import rebuild
from node.lending.book import Book
from node.upkeep.stores import Stretch


class Shelf:
    """The lender's records by borrower. Safe to use from several threads as long as one feed runs at a time."""

    def __init__(
        self,
        consortium: Consortium,
        keyring: Keyring,
        own: Callable[[], Log],
        book: Book,
        stretches: Callable[[], Sequence[Stretch]] | None = None,
    ) -> None:
        """own: the log that this node writes; stretches: all that it has written, by default that one."""
        self._consortium = consortium.id
        self._keyring = keyring
        self._own = own
        self._book = book
        self._stretches = stretches or (lambda: [(own(), None)])

    def take(self, borrowers: Sequence[str], heal: bool = True) -> dict[str, sealed_pb2.BookRecord]:
        """The records of those that have one, brought up to the chain and stored so where a crash left them behind.

        heal: False where the caller itself is about to record what it has just appended.
        """
        records = {record.borrower: record for record in self._book.get_many(borrowers) if record is not None}
        if heal:
            self.put([record for record in records.values() if self._catch_up(record)])
        return records

    def strangers(self, borrowers: Sequence[str]) -> list[str]:
        """Those without a record, hence without a pseudonym key."""
        found = self._book.get_many(borrowers)
        return [borrower for borrower, record in zip(borrowers, found, strict=True) if record is None]

    def pseudonym_key(self, borrower: str) -> bytes | None:
        """The 64 bytes of K_b, or None where the book does not have it."""
        record = self._book.get(borrower)
        return None if record is None else record.pseudonym_key

    def introduce(self, keys: Iterable[tuple[str, bytes]]) -> None:
        """Stores pseudonym keys (64 bytes) of borrowers that have no record; one that they got meanwhile stays."""
        self._book.add_many(
            [sealed_pb2.BookRecord(borrower=borrower, pseudonym_key=pseudonym_key) for borrower, pseudonym_key in keys]
        )

    def put(self, records: Sequence[sealed_pb2.BookRecord], through: int | None = None) -> None:
        """Stores records, durable when it returns. through: of the log, what they bring the book up to."""
        if records:
            self._book.put_many(records, None if through is None else (self._own().origin, through))

    def count(self) -> int:
        """How many borrowers have a record."""
        return self._book.borrowers

    def is_behind(self) -> bool:
        """Whether this member's log has positions that the book may not know of."""
        for log, limit in self._stretches():
            last = log.last_position
            if last is not None and min(
                last.index + 1, last.index + 1 if limit is None else limit
            ) > self._book.through(log.origin):
                return True
        return False

    def catch_up(self) -> Iterator[int]:
        """Brings the book up to this member's log, out of the sealed copies; yields how many entries are done.

        After the loss of a disk that is all of it, after a restored backup what came since, after a crash one batch.
        """
        for log, limit in self._stretches():
            yield from rebuild.catch_up(log, self._book, self._keyring, self._consortium, [], limit=limit)

    def _catch_up(self, record: sealed_pb2.BookRecord) -> bool:
        """Whether the chain had positions that the record did not know of."""
        labels = BorrowerKeys.from_pseudonym_key(record.pseudonym_key).query.positions(self._keyring.member)
        log, behind = self._own(), False
        while (index := log.find(label := labels(record.published))) is not None:
            entry = PositionEntry.parse(log.entry(index))
            copy = open_copy(entry.sealed, self._keyring.backup_key, self._consortium, self._keyring.member, label)
            position = Position(copy.amounts, entry.as_of, entry.closed)
            record.CopyFrom(recorded(record, copy.loans, position))
            behind = True
        return behind


def loans_of(record: sealed_pb2.BookRecord) -> tuple[Loan, ...]:
    """The loans of a record, ascending by loan_id."""
    return tuple(Loan.from_proto(loan) for loan in record.loans)


def position_of(record: sealed_pb2.BookRecord) -> Position | None:
    """The last position published, or None."""
    if not record.published:
        return None
    return Position(tuple(record.amounts), record.as_of, record.closed)


def recorded(
    record: sealed_pb2.BookRecord, loans: Iterable[Loan], published: Position | None = None
) -> sealed_pb2.BookRecord:
    """The record with these loans and, where one was published, this position."""
    new = sealed_pb2.BookRecord()
    new.CopyFrom(record)
    del new.loans[:]
    new.loans.extend(loan.to_proto() for loan in loans)
    if published is not None:
        del new.amounts[:]
        new.amounts.extend(published.amounts)
        new.closed, new.as_of = published.closed, published.as_of
        new.published += 1
    return new
