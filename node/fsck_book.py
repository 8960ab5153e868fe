"""The book, checked record by record against itself and against this lender's own log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from plimsoll.v1 import sealed_pb2

from ledger.chain import Log
from ledger.entries import Kind
from ledger.errors import PlimsollError
from ledger.labels import BorrowerKeys
from ledger.manifest import Manifest
from node import rebuild
from node.book import Book
from node.fsck_report import DAMAGED, OK, REPAIRED, Finding, Show
from node.keyring import Keyring

_BATCH = 256
_REPAIR = "plimsoll fsck --repair"
_START = "start the node: it fetches what its log lacks from the other members"


@dataclass(slots=True)
class _Tally:
    """What became of the records. bad: places of those that do not open, or contradict the log. behind: how many do not
    know of all their positions; ahead: how many know of positions that the log lacks."""

    records: int = 0
    published: int = 0
    behind: int = 0
    ahead: int = 0
    bad: list[bytes] = field(default_factory=list)


def check_book(book: Book, own: Log | None, keyring: Keyring, manifest: Manifest, repair: bool, show: Show) -> Finding:
    """own: this lender's log, None where it cannot be read. Repaired is what the log says, the counters, and what does
    not open, which is put aside. What the book alone knew of such a borrower (loans never published) is then lost."""
    finding = _look(book, own, keyring, manifest, show)
    if finding.verdict == OK or not repair:
        return finding
    tally = _tally(book, own, keyring, manifest, show)
    for start in range(0, len(tally.bad), _BATCH):
        book.put_aside(tally.bad[start : start + _BATCH])
    book.recount()
    if own is not None:
        for done in rebuild.catch_up(own, book, keyring, manifest.consortium, [], start=0):
            show("book", done, own.size)
    after = _look(book, own, keyring, manifest, show)
    if after.verdict != OK:
        return after
    return Finding("book", REPAIRED, after.size, finding.reason, finding.message)


def _look(book: Book, own: Log | None, keyring: Keyring, manifest: Manifest, show: Show) -> Finding:
    tally = _tally(book, own, keyring, manifest, show)
    fault = _fault(book, own, tally)
    if fault is None:
        return Finding("book", OK, tally.records)
    reason, message, todo = fault
    return Finding("book", DAMAGED, tally.records, reason, message, todo=todo)


def _fault(book: Book, own: Log | None, tally: _Tally) -> tuple[str, str, str] | None:
    """Reason, message and what to do about the worst that was found."""
    if tally.ahead:
        return "BOOK_AHEAD", f"{tally.ahead} records know of positions that the log does not hold", _START
    if tally.bad:
        return "BOOK_ROTTEN", f"{len(tally.bad)} records do not open, or contradict the log", _REPAIR
    positions = 0 if own is None else own.counts.get(Kind.POSITION, 0)
    if own is not None and (tally.behind or tally.published < positions):
        return "BOOK_BEHIND", f"of {positions} positions the book knows {tally.published}", _REPAIR
    if book.borrowers != tally.records:
        return "BAD_COUNT", f"there are {tally.records} records, not {book.borrowers}", _REPAIR
    return None


def _tally(book: Book, own: Log | None, keyring: Keyring, manifest: Manifest, show: Show) -> _Tally:
    tally = _Tally()
    for batch in _batches(book.records()):
        good = [(place, record) for place, record in batch if record is not None]
        tally.records += len(batch)
        tally.bad += [place for place, record in batch if record is None]
        tally.published += sum(record.published for _, record in good)
        if own is not None:
            _compare(good, own, keyring, manifest, tally)
        show("book", tally.records, book.borrowers)
    return tally


def _compare(
    batch: Sequence[tuple[bytes, sealed_pb2.BookRecord]], own: Log, keyring: Keyring, manifest: Manifest, tally: _Tally
) -> None:
    """Each record's last position must be in the log and say what the record says; the next must not be there."""
    labels = [BorrowerKeys.from_pseudonym_key(record.pseudonym_key).query.positions(own.member) for _, record in batch]
    following = own.find_many([label(record.published) for label, (_, record) in zip(labels, batch, strict=True)])
    tally.behind += sum(index is not None for index in following)
    told = [(label, place, record) for label, (place, record) in zip(labels, batch, strict=True) if record.published]
    last = own.find_many([label(record.published - 1) for label, _, record in told])
    tally.ahead += last.count(None)
    found = [(index, place, record) for index, (_, place, record) in zip(last, told, strict=True) if index is not None]
    entries = own.entries_at([index for index, _, _ in found])
    for entry, (_, place, record) in zip(entries, found, strict=True):
        if not _says(entry, record, keyring, manifest):
            tally.bad.append(place)


def _says(entry: bytes, record: sealed_pb2.BookRecord, keyring: Keyring, manifest: Manifest) -> bool:
    try:
        right = rebuild.record_of(entry, keyring, manifest.consortium)
    except PlimsollError:  # found by whoever rebuilds; the record is all there is then
        return True
    names = ("borrower", "pseudonym_key", "published", "closed", "amounts", "as_of")
    return all(getattr(right, name) == getattr(record, name) for name in names)


def _batches(
    records: Iterator[tuple[bytes, sealed_pb2.BookRecord | None]],
) -> Iterator[list[tuple[bytes, sealed_pb2.BookRecord | None]]]:
    while batch := list(islice(records, _BATCH)):
        yield batch
