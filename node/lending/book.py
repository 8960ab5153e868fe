"""The book: what this lender holds of its own borrowers, encrypted at rest, names included (design section 3).

One record per borrower (BookRecord), sealed under the book key; its place in the store is an HMAC of the identity, so
the store tells nothing but how many borrowers there are and how large their records are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice

from plimsoll.v1 import sealed_pb2

from ledger.chain.store import Put, Store, StoreConflict, prefix_end
from ledger.crypto.hashing import derive, mac
from ledger.crypto.sealed import open_sealed, seal
from ledger.errors import PlimsollError, Unverified

PURPOSE = "plimsoll/v1/book-record"
PLACE_DOMAIN = "plimsoll/v1/book-place"
_RECORDS = b"r"
_COUNT = b"n"
_THROUGH = b"t"
_ASIDE = b"x"
_AT_ONCE = 256  # records read at a time
_ATTEMPTS = 3


class Book:
    """Borrowers' records by identity. `key` is 32 bytes; `rng(n)` gives n random bytes.

    Writers take turns: the count is read and written under a lock. Reads go on meanwhile.
    """

    def __init__(self, store: Store, key: bytes, rng: Callable[[int], bytes]) -> None:
        self._store = store
        self._seal_key = derive(key, "plimsoll/v1/book-seal")
        self._place_key = derive(key, "plimsoll/v1/book-places")
        self._rng = rng
        self._lock = threading.Lock()

    @property
    def borrowers(self) -> int:
        """How many there are."""
        return count_borrowers(self._store)

    def through(self, origin: str) -> int:
        """Of this member's own log of that name, the entries before this index are in the book, as far as they are
        positions."""
        return int.from_bytes(self._store.get(_THROUGH + origin.encode()) or b"", "big")

    def get(self, borrower: str) -> sealed_pb2.BookRecord | None:
        """The record of a canonical identity, or None."""
        return self.get_many([borrower])[0]

    def has_loan(self, borrower: str) -> bool:
        """Whether a canonical identity has a loan here that is open. Raises Unverified."""
        record = self.get(borrower)
        return record is not None and any(loan.open for loan in record.loans)

    def get_many(self, borrowers: Sequence[str]) -> list[sealed_pb2.BookRecord | None]:
        """The records in the order asked for. Raises Unverified where one does not open: it is damaged or not ours."""
        places = [self._place(borrower) for borrower in borrowers]
        return [
            None if sealed is None else self._open(place, sealed)
            for place, sealed in zip(places, self._store.get_many(places), strict=True)
        ]

    def put_many(self, records: Iterable[sealed_pb2.BookRecord], through: tuple[str, int] | None = None) -> None:
        """Writes records, each whole, all or none. Durable when it returns.

        through: the name of this member's own log, and what `through` is to say of it from then on.
        """
        sealed = self._sealed(records)
        self._write(lambda: sealed, through)

    def add_many(self, records: Iterable[sealed_pb2.BookRecord]) -> None:
        """As `put_many`, of those borrowers that have no record; what there is of the others stays as it is."""
        sealed = self._sealed(records)

        def absent() -> dict[bytes, bytes]:
            found = zip(sealed.items(), self._store.get_many(list(sealed)), strict=True)
            return {place: box for (place, box), held in found if held is None}

        self._write(absent, None)

    def records(self) -> Iterator[tuple[bytes, sealed_pb2.BookRecord | None]]:
        """All of them with their places, in no order that means anything; None where one does not open."""
        pairs = self._store.scan(_RECORDS, prefix_end(_RECORDS))
        while some := list(islice(pairs, _AT_ONCE)):
            for place, sealed in some:
                try:
                    yield place, self._open(place, sealed)
                except PlimsollError:
                    yield place, None

    def put_aside(self, places: Sequence[bytes]) -> None:
        """Takes records that do not open out of the way, without destroying them."""
        boxes = zip(places, self._store.get_many(places), strict=True)
        puts: list[Put] = [(_ASIDE + place, box) for place, box in boxes]
        self._store.write([*puts, *((place, None) for place in places)])

    def recount(self) -> int:
        """Sets the number of borrowers to that of the records, which it returns. Nobody may write meanwhile."""
        number = sum(1 for _ in self._store.scan(_RECORDS, prefix_end(_RECORDS)))
        self._store.write([(_COUNT, number.to_bytes(8, "big"))], expect=(_COUNT, self._store.get(_COUNT)))
        return number

    def _sealed(self, records: Iterable[sealed_pb2.BookRecord]) -> dict[bytes, bytes]:
        sealed = {}
        for record in records:
            place = self._place(record.borrower)
            sealed[place] = seal(self._seal_key, PURPOSE, (place,), record.SerializeToString(), self._rng)
        return sealed

    def _write(self, staged: Callable[[], dict[bytes, bytes]], through: tuple[str, int] | None) -> None:
        """What is staged, and the count, which is compared: a write that failed before may have been kept after all."""
        for attempt in count(1):
            with self._lock:
                held = self._store.get(_COUNT)
                sealed = staged()
                new = sum(value is None for value in self._store.get_many(list(sealed)))
                puts: list[Put] = [
                    *sealed.items(),
                    (_COUNT, (int.from_bytes(held or b"", "big") + new).to_bytes(8, "big")),
                ]
                if through is not None:
                    puts.append((_THROUGH + through[0].encode(), through[1].to_bytes(8, "big")))
                try:
                    self._store.write(puts, sync=True, expect=(_COUNT, held))
                except StoreConflict:
                    if attempt < _ATTEMPTS:
                        continue
                    raise
                return

    def _place(self, borrower: str) -> bytes:
        return _RECORDS + mac(self._place_key, PLACE_DOMAIN, borrower)

    def _open(self, place: bytes, sealed: bytes) -> sealed_pb2.BookRecord:
        plain = open_sealed(self._seal_key, PURPOSE, (place,), sealed)
        record = sealed_pb2.BookRecord.FromString(plain)
        if self._place(record.borrower) != place:
            raise Unverified("BOOK_DAMAGED", "a record of the book stands in another's place")
        return record


def count_borrowers(store: Store) -> int:
    """How many borrowers a book's store says it has; takes no key."""
    return int.from_bytes(store.get(_COUNT) or b"", "big")
