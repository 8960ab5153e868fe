"""The book and the chain held against each other: a record is never older than what this lender has published.

The chain is written first, then the book. Where a crash fell in between, the chain has the borrower's next position;
its sealed copy says what the book should.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plimsoll.v1 import sealed_pb2

from ledger.chain import Log
from ledger.labels import BorrowerKeys
from ledger.loan import Loan
from ledger.manifest import Manifest
from ledger.position import Position
from ledger.position_entry import PositionEntry
from ledger.sealed_copy import open_copy
from node.book import Book
from node.keyring import Keyring


class Shelf:
    """The lender's records by borrower. Safe to use from several threads as long as one feed runs at a time."""

    def __init__(self, manifest: Manifest, keyring: Keyring, log: Log, book: Book) -> None:
        self._consortium = manifest.consortium
        self._keyring = keyring
        self._log = log
        self._book = book

    def take(self, borrowers: Sequence[str], heal: bool = True) -> dict[str, sealed_pb2.BookRecord]:
        """The records of those that have one, brought up to the chain and stored so where a crash left them behind.

        heal: False where the caller itself is about to record what it has just appended.
        """
        records = {record.borrower: record for record in self._book.get_many(borrowers) if record is not None}
        if heal:
            self._book.put_many([record for record in records.values() if self._catch_up(record)])
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
        """Stores pseudonym keys (64 bytes) of borrowers that have no record."""
        self._book.put_many(
            [sealed_pb2.BookRecord(borrower=borrower, pseudonym_key=pseudonym_key) for borrower, pseudonym_key in keys]
        )

    def put(self, records: Sequence[sealed_pb2.BookRecord]) -> None:
        """Stores records, durable when it returns."""
        if records:
            self._book.put_many(records)

    def _catch_up(self, record: sealed_pb2.BookRecord) -> bool:
        """Whether the chain had positions that the record did not know of."""
        labels = BorrowerKeys.from_pseudonym_key(record.pseudonym_key).query.positions(self._keyring.member)
        behind = False
        while (index := self._log.find(label := labels(record.published))) is not None:
            entry = PositionEntry.parse(self._log.entry(index))
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
