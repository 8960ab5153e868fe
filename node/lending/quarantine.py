"""Feeds that are kept back until a second person has looked at them (docs/operations.md), whole, in the book's store.

Sealed under the book's key like everything there: a feed is full of names. An index record comes last, so that what a
crash left half written is no feed; and goes first, so that what is half thrown away is none either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from plimsoll.v1 import lender_pb2, sealed_pb2

from ledger.chain.store import Put, Store, prefix_end
from ledger.crypto.hashing import derive
from ledger.crypto.sealed import open_sealed, seal
from ledger.errors import NotFound
from ledger.positions.feed import FeedLoan
from ledger.positions.loan import Loan

PURPOSE = "plimsoll/v1/held-feed"
_INDEX, _ROWS, _LAST = b"q", b"w", b"l"
_AT_ONCE = 1024  # rows in one record
_ID_BYTES = 8


class Quarantine:
    """Any thread may use it, one at a time. key: the book's, 32 bytes; rng(n): n random bytes."""

    def __init__(self, store: Store, key: bytes, rng: Callable[[int], bytes]) -> None:
        """store: the book's."""
        self._store = store
        self._key = derive(key, "plimsoll/v1/held-feeds")
        self._rng = rng

    def keep(self, feed: lender_pb2.HeldFeed, rows: Sequence[FeedLoan]) -> lender_pb2.HeldFeed:
        """Keeps a feed under a fresh id, which the answer has. Durable when it returns."""
        self._sweep()
        identity = self._rng(_ID_BYTES)
        waiting = iter(rows)
        number = 0
        while some := list(islice(waiting, _AT_ONCE)):
            held = [sealed_pb2.HeldRow(line=r.line, borrower=r.borrower, loan=r.loan.to_proto()) for r in some]
            place = _place(identity, number)
            message = sealed_pb2.HeldRows(rows=held)
            self._store.write([(place, seal(self._key, PURPOSE, (place,), message.SerializeToString(), self._rng))])
            number += 1
        kept = lender_pb2.HeldFeed()
        kept.CopyFrom(feed)
        kept.id = identity.hex()
        place = _INDEX + identity
        self._store.write([(place, seal(self._key, PURPOSE, (place,), kept.SerializeToString(), self._rng))])
        return kept

    def all(self) -> list[lender_pb2.HeldFeed]:
        """The oldest first. Raises Unverified where one has rotted."""
        found = [self._open(place, box) for place, box in self._store.scan(_INDEX, prefix_end(_INDEX))]
        return sorted(found, key=lambda feed: (feed.time, feed.id))

    def count(self) -> int:
        """How many there are."""
        return sum(1 for _ in self._store.scan(_INDEX, prefix_end(_INDEX)))

    def get(self, identity: str) -> lender_pb2.HeldFeed:
        """One of them. Raises NotFound, Unverified."""
        for feed in self.all():
            if feed.id == identity:
                return feed
        raise NotFound("NO_SUCH_FEED", "no feed of this id is kept back", "id")

    def rows(self, identity: str) -> Iterator[FeedLoan]:
        """Its rows in their order. Raises Unverified."""
        start = _ROWS + bytes.fromhex(identity)
        for place, box in self._store.scan(start, prefix_end(start)):
            message = sealed_pb2.HeldRows.FromString(open_sealed(self._key, PURPOSE, (place,), box))
            for row in message.rows:
                yield FeedLoan(row.line, row.borrower, Loan.from_proto(row.loan))

    def remove(self, identity: str) -> None:
        """Throws it away. Raises NotFound."""
        self.get(identity)
        raw = bytes.fromhex(identity)
        self._store.write([(_INDEX + raw, None)])
        places: list[Put] = [(place, None) for place, _ in self._store.scan(_ROWS + raw, prefix_end(_ROWS + raw))]
        self._store.write(places)

    @property
    def last_rows(self) -> int:
        """Rows of the last feed that was taken; 0 before the first."""
        return int.from_bytes(self._store.get(_LAST) or b"", "big")

    def taken(self, rows: int) -> None:
        """A feed of so many rows was taken. Not synced: it is no more than a measure for the next one."""
        self._store.write([(_LAST, rows.to_bytes(8, "big"))], sync=False)

    def _sweep(self) -> None:
        """Takes away what a crash left of feeds that are none."""
        known = {bytes.fromhex(feed.id) for feed in self.all()}
        found = (place for place, _ in self._store.scan(_ROWS, prefix_end(_ROWS)))
        stray: list[Put] = [(place, None) for place in found if place[1 : 1 + _ID_BYTES] not in known]
        if stray:
            self._store.write(stray)

    def _open(self, place: bytes, box: bytes) -> lender_pb2.HeldFeed:
        return lender_pb2.HeldFeed.FromString(open_sealed(self._key, PURPOSE, (place,), box))


def _place(identity: bytes, number: int) -> bytes:
    return _ROWS + identity + number.to_bytes(4, "big")
