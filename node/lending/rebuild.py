"""The book out of this member's own log: every position holds a copy of the borrower's loans that its author sealed for
itself (protocol section 7). So a lender that has lost its book, or has an old one, has lost nothing it published.

What was never published is not in the log: pseudonym keys of borrowers that were only asked about, and loans that were
closed before they were first reported. They come again when they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import structlog
from plimsoll.v1 import sealed_pb2

from ledger.chain.chain import Log
from ledger.chain.entries import Kind, file_entry
from ledger.errors import PlimsollError
from ledger.positions.position_entry import PositionEntry
from ledger.positions.sealed_copy import open_copy
from node.homes.keyring import Keyring
from node.lending.book import Book

log = structlog.get_logger()

BATCH = 256
"""Entries read, and records written, at a time."""


class Unreadable(NamedTuple):
    """A position of one's own whose sealed copy does not open. at: its index."""

    at: int
    error: PlimsollError


def catch_up(
    own: Log,
    book: Book,
    keyring: Keyring,
    consortium: bytes,
    unreadable: list[Unreadable],
    start: int | None = None,
    limit: int | None = None,
) -> Iterator[int]:
    """Records in the book what the positions from `start` on (by default: those it does not know of) say. limit: how
    many entries of the log count, where it has ended.

    Yields how many entries have been looked at, once what they say is durable; whoever stops in between, or is killed,
    goes on there. Records that are newer than the log stay as they are. `unreadable` gets what is passed over.
    """
    at = book.through(own.origin) if start is None else start
    size = own.size if limit is None else min(own.size, limit)
    while at < size:
        stop = min(at + BATCH, size)
        newest = _newest(own, at, stop, keyring, consortium, unreadable)
        held = dict(zip(newest, book.get_many(list(newest)), strict=True))
        behind = [record for borrower, record in newest.items() if _is_behind(held[borrower], record)]
        book.put_many(behind, (own.origin, max(stop, book.through(own.origin))))
        yield stop
        at = stop


def _newest(
    own: Log, start: int, stop: int, keyring: Keyring, consortium: bytes, unreadable: list[Unreadable]
) -> dict[str, sealed_pb2.BookRecord]:
    """By borrower, what the last of its positions in this stretch says."""
    found: dict[str, sealed_pb2.BookRecord] = {}
    for index, raw in enumerate(own.entries(start, stop), start):
        if file_entry(raw).code != Kind.POSITION:
            continue
        try:
            record = record_of(raw, keyring, consortium)
        except PlimsollError as error:
            unreadable.append(Unreadable(index, error))
            log.error("a sealed copy does not open", index=index, why=str(error))
            continue
        if record.borrower not in found or found[record.borrower].published < record.published:
            found[record.borrower] = record
    return found


def record_of(raw: bytes, keyring: Keyring, consortium: bytes) -> sealed_pb2.BookRecord:
    """What the book holds once this position of one's own is its borrower's last. Raises as `open_copy`."""
    entry = PositionEntry.parse(raw)
    copy = open_copy(entry.sealed, keyring.backup_key, consortium, keyring.member, entry.label)
    return sealed_pb2.BookRecord(
        borrower=copy.borrower,
        pseudonym_key=copy.pseudonym_key,
        loans=[loan.to_proto() for loan in copy.loans],
        published=copy.number + 1,
        closed=entry.closed,
        amounts=copy.amounts,
        as_of=entry.as_of,
    )


def _is_behind(held: sealed_pb2.BookRecord | None, record: sealed_pb2.BookRecord) -> bool:
    return held is None or held.published < record.published
