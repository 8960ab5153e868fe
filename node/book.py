"""The book: what this lender holds of its own borrowers, encrypted at rest, names included (design section 3).

One record per borrower (BookRecord), sealed under the book key; its place in the store is an HMAC of the identity, so
the store tells nothing but how many borrowers there are and how large their records are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from plimsoll.v1 import sealed_pb2

from ledger.errors import Unverified
from ledger.hashing import derive, mac
from ledger.sealed import open_sealed, seal
from ledger.store import Store

PURPOSE = "plimsoll/v1/book-record"
PLACE_DOMAIN = "plimsoll/v1/book-place"
_RECORDS = b"r"
_COUNT = b"n"


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
        return int.from_bytes(self._store.get(_COUNT) or b"", "big")

    def get(self, borrower: str) -> sealed_pb2.BookRecord | None:
        """The record of a canonical identity, or None."""
        return self.get_many([borrower])[0]

    def get_many(self, borrowers: Sequence[str]) -> list[sealed_pb2.BookRecord | None]:
        """The records in the order asked for. Raises Unverified where one does not open: it is damaged or not ours."""
        places = [self._place(borrower) for borrower in borrowers]
        return [
            None if sealed is None else self._open(place, sealed)
            for place, sealed in zip(places, self._store.get_many(places), strict=True)
        ]

    def put_many(self, records: Iterable[sealed_pb2.BookRecord]) -> None:
        """Writes records, each whole, all or none. Durable when it returns."""
        sealed = {}
        for record in records:
            place = self._place(record.borrower)
            sealed[place] = seal(self._seal_key, PURPOSE, (place,), record.SerializeToString(), self._rng)
        with self._lock:
            places = list(sealed)
            new = sum(value is None for value in self._store.get_many(places))
            count = (self.borrowers + new).to_bytes(8, "big")
            self._store.write([*sealed.items(), (_COUNT, count)], sync=True)

    def _place(self, borrower: str) -> bytes:
        return _RECORDS + mac(self._place_key, PLACE_DOMAIN, borrower)

    def _open(self, place: bytes, sealed: bytes) -> sealed_pb2.BookRecord:
        plain = open_sealed(self._seal_key, PURPOSE, (place,), sealed)
        record = sealed_pb2.BookRecord.FromString(plain)
        if self._place(record.borrower) != place:
            raise Unverified("BOOK_DAMAGED", "a record of the book stands in another's place")
        return record
