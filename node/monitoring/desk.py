"""What a lender's staff and systems ask of the watch list: on, off, now, and what was found."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from plimsoll.v1 import lender_pb2, sealed_pb2

from ledger.borrower.identity import canonical
from ledger.errors import InvalidInput, Refused
from ledger.monitoring.policy import MAX_DAYS
from ledger.monitoring.schedule import Pace
from ledger.positions.loan import MAX_AMOUNT
from node.clock import Clock
from node.lending.asking import CONSENT_DIGEST_SIZE
from node.lending.deciding import MAX_REFERENCE
from node.monitoring.monitoring import Monitoring
from node.monitoring.policy import end_of_day
from node.upkeep.ending import to_its_end

log = structlog.get_logger()

#: Watches or events in one answer.
PAGE = 1000
#: Characters of an identity's value from which on it is looked for where it must not stand.
SHORTEST_IDENTITY = 6
#: Days since 1970-01-01, in the year 2243.
LAST_DAY = 100_000


class WatchDesk:
    """Translates and checks. To be used from the event loop's thread."""

    def __init__(
        self,
        monitoring: Monitoring,
        has_loan: Callable[[str], bool],
        zone: Callable[[], str],
        clock: Clock,
        rng: Callable[[int], bytes],
    ) -> None:
        """has_loan: as Monitoring's. zone: the consortium's time zone."""
        self._monitoring = monitoring
        self._watchlist = monitoring.watchlist
        self._has_loan = has_loan
        self._zone = zone
        self._clock = clock
        self._rng = rng

    async def watch(self, request: lender_pb2.WatchBorrowerRequest, by: str) -> lender_pb2.WatchBorrowerResponse:
        """Raises InvalidInput; Refused (NOT_OWN_BORROWER, ALREADY_WATCHED)."""
        now = int(self._clock.unix())
        watch = lender_pb2.Watch(
            id=self._rng(8).hex(),
            borrower=canonical(request.borrower),
            reference=_reference(request),
            every_days=_every(request.every_days) or (await self._monitoring.policy()).schedule.every,
            added=now,
            added_by=by,
            consent_digest=_digest(request.consent_digest),
            consent_secret=self._rng(32),
        )
        if request.HasField("until"):
            watch.until = self._until(request.until, now)
        if request.HasField("income"):
            watch.income = _income(request.income)
        if not await to_its_end(self._has_loan, watch.borrower):
            raise Refused("NOT_OWN_BORROWER", "this lender has no open loan to this borrower", "borrower")
        record = sealed_pb2.WatchRecord(watch=watch)
        async with self._monitoring.writing:
            held = await to_its_end(self._watchlist.at, self._watchlist.place(watch.borrower))
            if held is not None and not held.watch.ended:
                raise Refused("ALREADY_WATCHED", "this borrower is on the watch list; remove it first", "borrower")
            if held is not None:  # quotas do not begin anew with a watch
                record.begun[:] = held.begun
            await to_its_end(self._watchlist.add, record)
            await self._monitoring.changed(record)
        log.info("a borrower is watched", watch=watch.id, by=by)
        return lender_pb2.WatchBorrowerResponse(watch=self._shown(record, await self._monitoring.pace()))

    async def unwatch(self, borrower: str, by: str) -> lender_pb2.UnwatchBorrowerResponse:
        """Raises InvalidInput, NotFound."""
        async with self._monitoring.writing:
            record = await self._monitoring.active(canonical(borrower))
            record.watch.ended = "REMOVED"
            record.ClearField("last")  # consent may have been withdrawn
            await to_its_end(self._watchlist.put, record)
            await self._monitoring.changed(record)
        log.info("a borrower is watched no longer", watch=record.watch.id, by=by)
        return lender_pb2.UnwatchBorrowerResponse(watch=record.watch)

    async def check(self, borrower: str) -> lender_pb2.CheckWatchedResponse:
        """Raises InvalidInput, NotFound, Refused; then as Asking.exposure."""
        record, found = await self._monitoring.check(canonical(borrower))
        shown = self._shown(record, await self._monitoring.pace())
        return lender_pb2.CheckWatchedResponse(watch=shown, events=found)

    async def watched(self, request: lender_pb2.WatchedRequest) -> lender_pb2.WatchedResponse:
        """One part of the list, in no order that means anything. Raises InvalidInput, Unverified."""
        allowed = await self._monitoring.pace()
        try:
            after = bytes.fromhex(request.after)
        except ValueError:
            raise InvalidInput("BAD_HEX", "must be `next` of the part before", "after") from None
        page = await to_its_end(lambda: self._watchlist.page(after, PAGE, former=request.ended))
        shown = [self._shown(record, allowed) for _, record in page if request.ended or not record.watch.ended]
        return lender_pb2.WatchedResponse(watches=shown, next=page[-1][0].hex() if len(page) == PAGE else "")

    async def events(self, request: lender_pb2.EventsRequest) -> lender_pb2.EventsResponse:
        """Some events, in order. Raises Unverified."""
        found = await to_its_end(self._watchlist.events, min(request.after, (1 << 63) - 1), PAGE)
        return lender_pb2.EventsResponse(
            events=[each for each in found if request.acknowledged or not each.acknowledged],
            last=found[-1].number if found else request.after,
            more=len(found) == PAGE,
        )

    async def acknowledge(self, identity: str, by: str) -> lender_pb2.AcknowledgeEventResponse:
        """Raises NotFound."""
        event = await to_its_end(self._watchlist.acknowledge, identity, int(self._clock.unix()), by)
        return lender_pb2.AcknowledgeEventResponse(event=event)

    def _shown(self, record: sealed_pb2.WatchRecord, allowed: Pace) -> lender_pb2.Watch:
        shown = lender_pb2.Watch()
        shown.CopyFrom(record.watch)
        shown.next = self._monitoring.next(record, allowed)
        return shown

    def _until(self, day: int, now: int) -> int:
        if day > LAST_DAY or end_of_day(day, self._zone()) <= now:
            raise InvalidInput("OUT_OF_RANGE", "must not be past", "until")
        return day


def _reference(request: lender_pb2.WatchBorrowerRequest) -> str:
    text = request.reference
    if len(text) > MAX_REFERENCE or not text.isprintable():
        raise InvalidInput("BAD_TEXT", f"must be at most {MAX_REFERENCE} printable characters", "reference")
    value = canonical(request.borrower).rpartition(":")[2]
    if len(value) >= SHORTEST_IDENTITY and value in text:
        raise InvalidInput("IDENTITY_IN_REFERENCE", "must not hold the identity: notifications carry it", "reference")
    return text


def _every(days: int) -> int:
    if days > MAX_DAYS:
        raise InvalidInput("OUT_OF_RANGE", f"must be in 1 .. {MAX_DAYS}", "every_days")
    return days


def _digest(digest: bytes) -> bytes:
    if len(digest) != CONSENT_DIGEST_SIZE:
        raise InvalidInput("BAD_LENGTH", f"must be {CONSENT_DIGEST_SIZE} bytes", "consent_digest")
    return digest


def _income(income: int) -> int:
    if income > MAX_AMOUNT:
        raise InvalidInput("OUT_OF_RANGE", f"must be in 0 .. {MAX_AMOUNT} minor units", "income")
    return income
