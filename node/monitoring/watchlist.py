"""The watch list, what watching has found, and what is still to be sent, in the book's store (docs/watching.md).

Watches and events are sealed under the book's key like everything there, and places are an HMAC of the identity. A
borrower has one watch at a time; those that have ended stay, as they show under which consent was asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from plimsoll.v1 import lender_pb2, sealed_pb2

from ledger.chain.store import Pair, Put, Store, prefix_end
from ledger.crypto.hashing import derive, mac
from ledger.crypto.sealed import open_sealed, seal
from ledger.errors import InvalidInput, NotFound, PlimsollError
from ledger.strict import parse_decimal

WATCH_PURPOSE = "plimsoll/v1/watch-record"
EVENT_PURPOSE = "plimsoll/v1/watch-event"
_WATCHES, _FORMER, _EVENTS, _OUTBOX, _GIVEN_UP = b"m", b"f", b"e", b"o", b"g"
_PLACE_SIZE = 16
_NO_EVENT = "no event has this id"


class Watchlist:
    """Any thread may use it. key: the book's, 32 bytes; rng(n): n random bytes."""

    def __init__(self, store: Store, key: bytes, rng: Callable[[int], bytes]) -> None:
        """store: the book's."""
        self._store = store
        self._seal_key = derive(key, "plimsoll/v1/watch-seal")
        self._place_key = derive(key, "plimsoll/v1/watch-places")
        self._rng = rng
        self._lock = threading.Lock()

    # -- watches

    def place(self, borrower: str) -> bytes:
        """Where the watch of a canonical identity lies; tells nothing of it."""
        return _WATCHES + mac(self._place_key, "plimsoll/v1/watch-place", borrower)[:_PLACE_SIZE]

    def at(self, place: bytes) -> sealed_pb2.WatchRecord | None:
        """The watch there, or None. Raises Unverified where it has rotted."""
        box = self._store.get(place)
        return None if box is None else self._open(place, box)

    def watches(self) -> Iterator[tuple[bytes, sealed_pb2.WatchRecord | None]]:
        """The newest of each borrower, with its place; None for one that has rotted."""
        for place, box in self._store.scan(_WATCHES, prefix_end(_WATCHES)):
            try:
                yield place, self._open(place, box)
            except PlimsollError:
                yield place, None

    def page(self, after: bytes, limit: int, *, former: bool) -> list[tuple[bytes, sealed_pb2.WatchRecord]]:
        """Up to `limit` watches behind this place; former: also those that others have followed."""
        found: list[Pair] = []
        for prefix in (_FORMER, _WATCHES) if former else (_WATCHES,):
            start = max(prefix, after + b"\0")
            if len(found) < limit and start < prefix_end(prefix):
                found += self._store.scan(start, prefix_end(prefix), limit=limit - len(found))
        return [(place, self._open(place, box)) for place, box in found]

    def add(self, record: sealed_pb2.WatchRecord) -> bytes:
        """A watch in place of one that has ended, which is kept; its place. Durable when it returns."""
        place = self.place(record.watch.borrower)
        with self._lock:
            puts = [self._sealed(place, record)]
            before = self.at(place)
            if before is not None:
                aside = _FORMER + place[1:] + bytes.fromhex(before.watch.id)
                puts.append(self._sealed(aside, before))
            self._store.write(puts)
        return place

    def put(
        self, record: sealed_pb2.WatchRecord, found: Sequence[lender_pb2.WatchEvent] = (), *, notify: bool = False
    ) -> list[lender_pb2.WatchEvent]:
        """A watch as it is now, and what was found, which gets its numbers and ids; all of it or nothing.

        notify: each event waits to be sent. Durable when it returns.
        """
        puts: list[Put] = [self._sealed(self.place(record.watch.borrower), record)]
        kept = []
        with self._lock:
            number = self._last_event()
            for event in found:
                number += 1
                made = lender_pb2.WatchEvent()
                made.CopyFrom(event)
                made.number, made.id = number, f"{number}-{self._rng(8).hex()}"
                if notify:
                    made.delivery = "pending"
                    waiting = sealed_pb2.Delivery(since=event.time, next=event.time)
                    puts.append((_OUTBOX + _number(number), waiting.SerializeToString()))
                puts.append(self._sealed_event(made))
                kept.append(made)
            self._store.write(puts)
        return kept

    # -- events

    def events(self, after: int, limit: int) -> list[lender_pb2.WatchEvent]:
        """Up to `limit` with higher numbers, in order. Raises Unverified where one has rotted."""
        pairs = self._store.scan(_EVENTS + _number(after + 1), prefix_end(_EVENTS), limit=limit)
        return [self._open_event(place, box) for place, box in pairs]

    def event(self, identity: str) -> lender_pb2.WatchEvent:
        """By its id, or by its number alone. Raises NotFound, Unverified."""
        try:
            number = parse_decimal(identity.partition("-")[0], "id", (1 << 63) - 1)
        except InvalidInput:
            raise NotFound("NO_SUCH_EVENT", _NO_EVENT, "id") from None
        place = _EVENTS + _number(number)
        box = self._store.get(place)
        if box is None or ("-" in identity and self._open_event(place, box).id != identity):
            raise NotFound("NO_SUCH_EVENT", _NO_EVENT, "id")
        return self._open_event(place, box)

    def acknowledge(self, identity: str, now: int, by: str) -> lender_pb2.WatchEvent:
        """The event as it is then; one that was acknowledged before stays so. Raises NotFound."""
        with self._lock:
            event = self.event(identity)
            if not event.acknowledged:
                event.acknowledged, event.acknowledged_by = now, by
                self._store.write([self._sealed_event(event), (_GIVEN_UP + _number(event.number), None)])
        return event

    # -- what is to be sent

    def outbox(self) -> dict[int, sealed_pb2.Delivery]:
        """By event's number, in order."""
        return {
            int.from_bytes(place[1:], "big"): sealed_pb2.Delivery.FromString(raw)
            for place, raw in self._store.scan(_OUTBOX, prefix_end(_OUTBOX))
        }

    def tried(self, number: int, delivery: sealed_pb2.Delivery) -> None:
        """A try failed; when the next one is due."""
        self._store.write([(_OUTBOX + _number(number), delivery.SerializeToString())])

    def delivered(self, number: int, outcome: str) -> None:
        """There is nothing to be sent any more: "sent" or "given-up"."""
        with self._lock:
            event = self.event(str(number))
            event.delivery = outcome
            puts: list[Put] = [self._sealed_event(event), (_OUTBOX + _number(number), None)]
            if outcome == "given-up" and not event.acknowledged:
                puts.append((_GIVEN_UP + _number(number), b""))
            self._store.write(puts)

    def given_up(self) -> int:
        """How many events were never sent and are not acknowledged."""
        return sum(1 for _ in self._store.scan(_GIVEN_UP, prefix_end(_GIVEN_UP)))

    def _last_event(self) -> int:
        last = next(iter(self._store.scan(_EVENTS, prefix_end(_EVENTS), reverse=True, limit=1)), None)
        return 0 if last is None else int.from_bytes(last[0][1:], "big")

    def _sealed(self, place: bytes, record: sealed_pb2.WatchRecord) -> Put:
        return place, seal(self._seal_key, WATCH_PURPOSE, (place,), record.SerializeToString(), self._rng)

    def _open(self, place: bytes, box: bytes) -> sealed_pb2.WatchRecord:
        return sealed_pb2.WatchRecord.FromString(open_sealed(self._seal_key, WATCH_PURPOSE, (place,), box))

    def _sealed_event(self, event: lender_pb2.WatchEvent) -> Put:
        place = _EVENTS + _number(event.number)
        return place, seal(self._seal_key, EVENT_PURPOSE, (place,), event.SerializeToString(), self._rng)

    def _open_event(self, place: bytes, box: bytes) -> lender_pb2.WatchEvent:
        return lender_pb2.WatchEvent.FromString(open_sealed(self._seal_key, EVENT_PURPOSE, (place,), box))


def _number(number: int) -> bytes:
    return number.to_bytes(8, "big")
