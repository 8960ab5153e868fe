"""The book, checked record by record against itself and against this lender's own log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from plimsoll.v1 import sealed_pb2

from ledger.borrower.labels import BorrowerKeys
from ledger.chain.entries import Kind
from ledger.consortium.manifest import Manifest
from ledger.errors import PlimsollError
from node.homes.keyring import Keyring
from node.lending import rebuild
from node.lending.book import Book
from node.upkeep.fsck_report import DAMAGED, OK, REPAIRED, Finding, Show
from node.upkeep.stores import Stretch

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


def check_book(
    book: Book, own: Sequence[Stretch], keyring: Keyring, manifest: Manifest, repair: bool, show: Show
) -> Finding:
    """own: this lender's logs, none where they cannot be read. Repaired is what the log says, the counters, and what
    does not open, which is put aside; what the book alone knew of such a borrower (loans never published) is lost."""
    finding = _look(book, own, keyring, manifest, show)
    if finding.verdict == OK or not repair:
        return finding
    tally = _tally(book, own, keyring, manifest, show)
    for start in range(0, len(tally.bad), _BATCH):
        book.put_aside(tally.bad[start : start + _BATCH])
    book.recount()
    for log, limit in own:
        for done in rebuild.catch_up(log, book, keyring, manifest.consortium, [], 0, limit):
            show("book", done, log.size)
    after = _look(book, own, keyring, manifest, show)
    if after.verdict != OK:
        return after
    return Finding("book", REPAIRED, after.size, finding.reason, finding.message)


def _look(book: Book, own: Sequence[Stretch], keyring: Keyring, manifest: Manifest, show: Show) -> Finding:
    tally = _tally(book, own, keyring, manifest, show)
    fault = _fault(book, own, tally)
    if fault is None:
        return Finding("book", OK, tally.records)
    reason, message, todo = fault
    return Finding("book", DAMAGED, tally.records, reason, message, todo=todo)


def _fault(book: Book, own: Sequence[Stretch], tally: _Tally) -> tuple[str, str, str] | None:
    """Reason, message and what to do about the worst that was found."""
    if tally.ahead:
        return "BOOK_AHEAD", f"{tally.ahead} records know of positions that the log does not hold", _START
    if tally.bad:
        return "BOOK_ROTTEN", f"{len(tally.bad)} records do not open, or contradict the log", _REPAIR
    # Of a log that has ended only a part may count, and what is beyond is counted with the rest.
    positions = own[0][0].counts.get(Kind.POSITION, 0) if len(own) == 1 else 0
    if tally.behind or tally.published < positions:
        return "BOOK_BEHIND", f"the book knows of {tally.published} positions, and lacks others", _REPAIR
    if book.borrowers != tally.records:
        return "BAD_COUNT", f"there are {tally.records} records, not {book.borrowers}", _REPAIR
    return None


def _tally(book: Book, own: Sequence[Stretch], keyring: Keyring, manifest: Manifest, show: Show) -> _Tally:
    tally = _Tally()
    for batch in _batches(book.records()):
        good = [(place, record) for place, record in batch if record is not None]
        tally.records += len(batch)
        tally.bad += [place for place, record in batch if record is None]
        tally.published += sum(record.published for _, record in good)
        if own:
            _compare(good, own, keyring, manifest, tally)
        show("book", tally.records, book.borrowers)
    return tally


def _compare(
    batch: Sequence[tuple[bytes, sealed_pb2.BookRecord]],
    own: Sequence[Stretch],
    keyring: Keyring,
    manifest: Manifest,
    tally: _Tally,
) -> None:
    """Each record's last position must be in a log and say what the record says; the next must not be there."""
    member = keyring.member
    labels = [BorrowerKeys.from_pseudonym_key(record.pseudonym_key).query.positions(member) for _, record in batch]
    following = _find(own, [label(record.published) for label, (_, record) in zip(labels, batch, strict=True)])
    tally.behind += len(following) - following.count(None)
    told = [(label, place, record) for label, (place, record) in zip(labels, batch, strict=True) if record.published]
    last = _find(own, [label(record.published - 1) for label, _, record in told])
    tally.ahead += last.count(None)
    for entry, (_, place, record) in zip(last, told, strict=True):
        if entry is not None and not _says(entry, record, keyring, manifest):
            tally.bad.append(place)


def _find(own: Sequence[Stretch], labels: Sequence[bytes]) -> list[bytes | None]:
    """For each label the entry under it that counts, or None."""
    found: list[bytes | None] = [None] * len(labels)
    for log, limit in own:
        for number, index in enumerate(log.find_many(labels)):
            if index is not None and found[number] is None and (limit is None or index < limit):
                found[number] = log.entry(index)
    return found


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
