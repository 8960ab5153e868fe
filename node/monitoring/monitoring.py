"""Asking about the borrowers on the watch list, each at its time, and writing down what has changed.

A question is on disk as begun before it is asked, so that a node that falls over it does not use up quotas; the
answer, what was found in it and that it is to be sent are one write. The thinking is in ledger.monitoring.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from plimsoll.v1 import entry_pb2, lender_pb2, sealed_pb2

from ledger.decision import DecisionPolicy
from ledger.errors import Exhausted, NotFound, PlimsollError, Refused, Unavailable, Unready
from ledger.monitoring import WatchPolicy
from ledger.monitoring.consent import question_digest
from ledger.monitoring.schedule import RETRY, Pace, backoff, choose, due, earliest, pace
from ledger.queries.inquiry import DAY
from node.clock import Clock
from node.consortium import Consortium
from node.monitoring.finding import Finder
from node.monitoring.policy import end_of_day, load
from node.monitoring.watchlist import Watchlist
from node.upkeep.ending import to_its_end

log = structlog.get_logger()

Ask = Callable[[lender_pb2.ExposureRequest], Awaitable[lender_pb2.ExposureResponse]]

#: Seconds between two looks, where nothing is due sooner: the policy may have changed, or the machine's clock.
INTERVAL = 60.0
#: Seconds without an answer after which a person should look.
ALERT_AFTER = 3600


@dataclass(slots=True)
class _Turn:
    """When a borrower may be asked about, and when its consent ends; Unix seconds. Kept in memory, so it says of nobody
    who it is."""

    id: str
    added: int
    answered: int
    every: int
    retry: int
    begun: tuple[int, ...]
    ends: int | None

    def at(self, allowed: Pace) -> int:
        soonest = earliest(
            due(self.id, self.added, self.answered, self.every), self.retry, self.begun, allowed.per_borrower
        )
        return soonest if self.ends is None else min(soonest, self.ends)


class Monitoring:
    """To be used from the event loop's thread."""

    def __init__(
        self,
        consortium: Consortium,
        watchlist: Watchlist,
        ask: Ask,
        has_loan: Callable[[str], bool],
        decision: Callable[[], DecisionPolicy],
        policy: Path,
        clock: Clock,
    ) -> None:
        """ask: a question to the ledger. has_loan: whether a canonical identity has an open loan in this lender's book.
        decision: the lender's decision policy as it is now. policy: watch.toml, read anew each time."""
        self.watchlist = watchlist
        self._consortium = consortium
        self._ask = ask
        self._has_loan = has_loan
        self._finder = Finder(consortium, decision, clock)
        self._policy = policy
        self._clock = clock
        self._turns: dict[bytes, _Turn] | None = None
        self._asking = asyncio.Lock()
        self._changed = asyncio.Event()
        self._last = 0
        self._failures = 0
        self._failing_since = 0
        self._pause_until = 0
        self._problem = ""
        self._damaged = 0
        #: Told when there is something to send.
        self.on_events: Callable[[], object] = lambda: None
        #: Held while a watch is read and written.
        self.writing = asyncio.Lock()

    @property
    def alerts(self) -> list[str]:
        """What a person should look at."""
        failing = self._failing_since and self._clock.unix() - self._failing_since >= ALERT_AFTER
        why = self._problem if failing or not self._failing_since else ""
        found = [f"borrowers on the watch list are not asked about: {why}"] if why else []
        if self._damaged:
            found.append(f"{self._damaged} record(s) of the watch list are damaged: restore the book, or add them anew")
        return found

    async def policy(self) -> WatchPolicy:
        """As it is now. Raises InvalidInput."""
        return await asyncio.to_thread(load, self._policy)

    def next(self, record: sealed_pb2.WatchRecord, allowed: Pace) -> int:
        """When this watch is due, Unix seconds; 0 where it has ended."""
        return 0 if record.watch.ended else self._turn(record).at(allowed)

    async def pace(self) -> Pace:
        """By the policies as they are now. Raises InvalidInput."""
        limits = self._consortium.manifest.policy
        return pace((await self.policy()).schedule, limits.inquiries_per_day, limits.queries_per_borrower)

    async def run(self) -> None:
        """For as long as the node runs."""
        while True:
            self._changed.clear()
            wait = await self.step()
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                continue

    async def step(self) -> float:
        """Does what is due, of which there is one thing at most; seconds until there may be more."""
        try:
            turns, allowed = await self._loaded(), await self.pace()
            chosen = choose(
                ((turn.at(allowed), place.hex()) for place, turn in turns.items()),
                min(self._last, int(self._clock.unix())), allowed.gap, self._pause_until,
            )  # fmt: skip
            if chosen is None or (wait := chosen[0] - self._clock.unix()) > 0:
                if not (turns and self._pause_until):
                    self._calm()
                return INTERVAL if chosen is None else min(INTERVAL, wait)
            await self._take_turn(bytes.fromhex(chosen[1]))
        except PlimsollError as error:
            return self._failed(error)
        except Exception as error:  # a bug of ours must not end the node, nor be asked about every second
            log.exception("watching failed")
            return self._failed(PlimsollError("INTERNAL", f"watching failed: {type(error).__name__}"))
        self._calm()
        return 0.0

    def _calm(self) -> None:
        """All is well, or there is nothing to do."""
        self._failures = self._failing_since = self._pause_until = 0
        self._problem = ""

    def _failed(self, error: PlimsollError) -> float:
        now = int(self._clock.unix())
        self._problem = str(error)
        if isinstance(error, (Unavailable, Unready, Exhausted)):  # somebody is away, for all borrowers
            self._failures += 1
            self._failing_since = self._failing_since or now
            self._pause_until = now + backoff(self._failures)
            log.info("nobody can be asked about", reason=error.reason, pause=self._pause_until - now)
        return INTERVAL

    # -- one borrower

    async def changed(self, record: sealed_pb2.WatchRecord) -> None:
        """A watch was added, or has ended."""
        turns = await self._loaded()
        place = self.watchlist.place(record.watch.borrower)
        turns.pop(place, None)
        if not record.watch.ended:
            turns[place] = self._turn(record)
        self._changed.set()

    async def check(self, borrower: str) -> tuple[sealed_pb2.WatchRecord, list[lender_pb2.WatchEvent]]:
        """Asks about a borrower (canonical) at once: the watch afterwards, and what has changed. Quotas are the
        custodians' own. Raises NotFound, Refused where there is no open loan or no consent any more, then as `ask`."""
        async with self._asking:
            record = await self.active(borrower)
            if self._has_ended(record):
                raise Refused("CONSENT_ENDED", "the borrower's consent has ended", "borrower")
            if not await asyncio.to_thread(self._has_loan, borrower):
                raise Refused("NOT_OWN_BORROWER", "this lender has no open loan to this borrower", "borrower")
            found = await self._evaluate(record, await self.policy())
            return await self.active(borrower), found

    async def active(self, borrower: str) -> sealed_pb2.WatchRecord:
        """The watch that is on. Raises NotFound."""
        record = await to_its_end(self.watchlist.at, self.watchlist.place(borrower))
        if record is None or record.watch.ended:
            raise NotFound("NOT_WATCHED", "this borrower is not on the watch list", "borrower")
        return record

    async def _take_turn(self, place: bytes) -> None:
        async with self._asking:
            turns = await self._loaded()
            turn = turns.pop(place)  # one that cannot be read keeps the others waiting no longer
            record = await to_its_end(self.watchlist.at, place)
            if record is None or record.watch.ended:
                return
            turns[place] = turn
            if self._has_ended(record):
                await self._end(record)
            elif not await asyncio.to_thread(self._has_loan, record.watch.borrower):
                await self._postpone(record, "NO_OPEN_LOAN", DAY)
            else:
                self._last = int(self._clock.unix())
                await self._evaluate_in_turn(record)

    async def _evaluate_in_turn(self, record: sealed_pb2.WatchRecord) -> None:
        """What concerns this borrower alone does not keep the others waiting."""
        policy = await self.policy()
        await asyncio.to_thread(self._finder.check)
        try:
            await self._evaluate(record, policy)
        except (Unavailable, Unready):
            raise
        except PlimsollError as error:
            if error.reason == "QUOTA":  # the member's own day is used up
                raise
            log.warning("a borrower on the watch list cannot be asked about", watch=record.watch.id, why=error.reason)

    async def _evaluate(self, record: sealed_pb2.WatchRecord, policy: WatchPolicy) -> list[lender_pb2.WatchEvent]:
        """One question, and what has changed since the last answer. Raises as `ask`, with the watch put off."""
        now, watch = int(self._clock.unix()), record.watch
        request = lender_pb2.ExposureRequest(
            borrower=watch.borrower,
            purpose=entry_pb2.PURPOSE_POST_LOAN,
            consent_digest=question_digest(watch.consent_secret, watch.questions, watch.consent_digest),
        )
        watch.questions += 1
        record.begun[:] = [*(each for each in record.begun if now - DAY < each <= now), now]
        await self._write(record)
        try:
            response = await self._ask(request)
        except PlimsollError as error:
            if isinstance(error, Unready) or (isinstance(error, Exhausted) and error.retry is not None):
                # The node itself said no: nothing was logged.
                record.begun.pop()
            await self._postpone(record, error.reason, RETRY)
            raise
        found = await asyncio.to_thread(self._finder.found, record, response, policy.rules)
        record.last.CopyFrom(response)
        watch.answered, watch.problem, record.retry = int(self._clock.unix()), "", 0
        return await self._write(record, found, policy.webhook is not None)

    async def _end(self, record: sealed_pb2.WatchRecord) -> None:
        record.watch.ended = "CONSENT_ENDED"
        record.ClearField("last")
        notify = (await self.policy()).webhook is not None
        await self._write(record, [self._finder.ended(record)], notify)

    async def _postpone(self, record: sealed_pb2.WatchRecord, problem: str, seconds: int) -> None:
        record.watch.problem, record.retry = problem, int(self._clock.unix()) + seconds
        await self._write(record)

    async def _write(
        self, record: sealed_pb2.WatchRecord, found: list[lender_pb2.WatchEvent] | None = None, notify: bool = False
    ) -> list[lender_pb2.WatchEvent]:
        """Unless the watch has ended meanwhile: then nobody consents to what was found any more."""
        async with self.writing:
            held = await to_its_end(self.watchlist.at, self.watchlist.place(record.watch.borrower))
            if held is None or held.watch.ended or held.watch.id != record.watch.id:
                return []
            kept = await to_its_end(partial(self.watchlist.put, record, found or [], notify=notify))
            await self.changed(record)
        for event in kept:
            log.info("a borrower on the watch list has changed", watch=event.watch, code=event.code, id=event.id)
        if kept:
            self.on_events()
        return kept

    def _has_ended(self, record: sealed_pb2.WatchRecord) -> bool:
        ends = self._turn(record).ends
        return ends is not None and ends <= self._clock.unix()

    async def _loaded(self) -> dict[bytes, _Turn]:
        if self._turns is None:
            self._turns = await to_its_end(self._load)
            self._last = max((turn.begun[-1] for turn in self._turns.values() if turn.begun), default=0)
        return self._turns

    def _load(self) -> dict[bytes, _Turn]:
        turns: dict[bytes, _Turn] = {}
        self._damaged = 0
        for place, record in self.watchlist.watches():
            if record is None:  # one that nobody can read must not keep the others waiting
                self._damaged += 1
            elif not record.watch.ended:
                turns[place] = self._turn(record)
        return turns

    def _turn(self, record: sealed_pb2.WatchRecord) -> _Turn:
        watch, zone = record.watch, self._consortium.manifest.time_zone
        ends = end_of_day(watch.until, zone) if watch.HasField("until") else None
        return _Turn(watch.id, watch.added, watch.answered, watch.every_days, record.retry, tuple(record.begun), ends)
