"""Doubting other members' records (docs/protocol.md, section 19): asking their authors for proofs, and saying so in
this member's log where none comes.

All that contribute to sums that cannot be are asked, at once and directly, so that nobody learns whom an inquiry was
about; and once a day one random position. A good answer is remembered and goes nowhere. A bad one is challenged at
once; silence, after a day of asking again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import structlog
from plimsoll.v1 import peer_pb2

from ledger.cache import Cache
from ledger.chain.chain import Chain, Log
from ledger.challenges.challenge import Challenge, is_challengeable
from ledger.challenges.challenged import bands_of
from ledger.consortium.joined import origins_of
from ledger.errors import PlimsollError, Unready, Unverified
from ledger.queries.inquiry import DAY
from ledger.queries.selection import Contribution
from ledger.tlog.merkle import leaf_hash
from node.chain.committer import Committer
from node.challenges.record import Doubted
from node.clock import Clock
from node.consortium import Consortium
from node.custody.custody import Custody
from node.wire.links import Link

T = TypeVar("T")
log = structlog.get_logger()

#: Seconds that an author may take for one answer.
TIMEOUT = 10.0
#: Seconds of asking in vain after which a record is challenged.
PATIENCE = float(DAY)
#: Seconds until an author that did not answer is asked again, at first and at most.
FIRST_PAUSE, LONGEST_PAUSE = 20.0, 3600.0
#: Records whose authors are being asked; more are not begun with.
MAX_PENDING = 1000
#: Records known to be well-formed.
REMEMBERED = 8192
#: Challenges that this member publishes a day.
MAX_A_DAY = 16
#: How often a random entry is drawn before that day's is given up.
DRAWS = 256
#: Seconds between two looks whether somebody is to be asked again.
INTERVAL = 1.0


@dataclass
class _Pending:
    """A record whose author is asked. since: when first, next: when again, seconds of the monotonic clock. bad: why it
    is to be challenged."""

    member: str
    doubted: Doubted
    since: float
    next: float
    pause: float = FIRST_PAUSE
    bad: str = ""


@dataclass
class Counts:
    """What has been done since the node's start."""

    asked: int = 0
    good: int = 0
    challenged: int = 0
    pending: dict[bytes, _Pending] = field(default_factory=dict, repr=False)


class Doubting:
    """To be used from the event loop's thread."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        custody: Custody,
        links: Mapping[str, Link],
        committer: Committer,
        executor: Executor,
        rng: Callable[[int], bytes],
        clock: Clock,
    ) -> None:
        self._consortium = consortium
        self._chain = chain
        self._custody = custody
        self._links = links
        self._committer = committer
        self._executor = executor
        self._rng = rng
        self._clock = clock
        self._good: Cache[tuple[str, bytes], bool] = Cache(REMEMBERED // 2)
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self.counts = Counts()

    def suspect(self, contributions: Sequence[Contribution], why: Sequence[str]) -> None:
        """Sums over these records cannot be: one of them is not well-formed."""
        self.ask_about(contributions)
        log.warning("sums that cannot be: authors are asked for proofs", failed=list(why))

    def ask_about(self, contributions: Sequence[Contribution]) -> None:
        """Asks the authors of these records, but this member itself."""
        manifest, own = self._consortium.manifest, self._consortium.member
        for one in contributions:
            if one.member == own or one.member not in manifest:
                continue
            origins = reversed(origins_of(manifest, one.member))
            origin, index = next((origin, one.index - first) for origin, first in origins if first <= one.index)
            self._begin(one.member, Doubted(origin, index, leaf_hash(one.entry)))

    def _begin(self, member: str, doubted: Doubted) -> None:
        known = self._good.get((member, doubted.leaf)) or doubted.leaf in self.counts.pending
        if known or len(self.counts.pending) >= MAX_PENDING or self._is_challenged(doubted):
            return
        now = self._clock.monotonic()
        self.counts.pending[doubted.leaf] = _Pending(member, doubted, now, now)
        self._news.set()

    def _is_challenged(self, doubted: Doubted) -> bool:
        """By this member: never twice."""
        challenge = Challenge(0, doubted.origin, doubted.index, doubted.leaf)
        return self._own().find(challenge.label) is not None

    def _own(self) -> Log:
        return self._chain.log(self._consortium.member)

    # -- in the background

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask_all())
            group.create_task(self._draw_daily())

    async def _ask_all(self) -> None:
        while True:
            now = self._clock.monotonic()
            due = [pending for pending in self.counts.pending.values() if pending.next <= now]
            await asyncio.gather(*map(self._ask, due[:8]))
            if len(due) > 8:
                continue
            try:
                async with asyncio.timeout(self._clock.jittered(INTERVAL)):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()

    async def _ask(self, pending: _Pending) -> None:
        try:
            if not pending.bad and not await self._is_proved(pending):
                pending.bad = "what its author shows proves nothing"
            if pending.bad:
                async with self._turn:  # one after the other: they are counted
                    await self._challenge(pending)
                return
            self._good.put((pending.member, pending.doubted.leaf), True)
            self.counts.good += 1
            self.counts.pending.pop(pending.doubted.leaf, None)
            log.info("record proved well-formed", record=str(pending.doubted))
        except PlimsollError as error:
            if self._clock.monotonic() - pending.since >= PATIENCE and not pending.bad:
                pending.bad = f"its author has not proved it within a day: {error.message}"
            else:
                pending.next = self._clock.monotonic() + self._clock.jittered(pending.pause)
                pending.pause = min(2 * pending.pause, LONGEST_PAUSE)
            log.info("record not proved yet", record=str(pending.doubted), why=str(error))

    async def _is_proved(self, pending: _Pending) -> bool:
        """Whether its author shows it to be well-formed. Raises what keeps it from showing anything."""
        link, doubted = self._links.get(pending.member), pending.doubted
        manifest, examiner = self._consortium.manifest, self._custody.examiner
        entry = doubted.entry(self._chain)
        if link is None or pending.member not in manifest or entry is None:
            self.counts.pending.pop(doubted.leaf, None)
            raise Unready("GONE", "there is nobody to ask any more")
        if examiner is None:
            raise Unready("NO_KEYS", "the key ceremony is not final yet")
        prover = examiner.prover
        request = peer_pb2.ProveRequest(origin=doubted.origin, index=doubted.index, leaf_hash=doubted.leaf)
        self.counts.asked += 1
        try:
            proof = await link.prove(request, TIMEOUT)
        except Unverified as error:
            if error.reason == "BAD_ANSWER":  # bytes that are no message
                return False
            raise
        return await self._off_loop(lambda: prover.is_wellformed(pending.member, entry, proof, bands_of(manifest)))

    async def _challenge(self, pending: _Pending) -> None:
        """Says so in this member's log. Raises what keeps it from being appended; then it is tried again."""
        doubted, now = pending.doubted, int(self._clock.unix())
        if self._is_challenged(doubted):
            self.counts.pending.pop(doubted.leaf, None)
            return
        own = self._own()
        newest = islice(own.entries_by_kind("challenge", reverse=True), MAX_A_DAY)
        today = [entry for _, entry in newest if Challenge.parse(entry).time > now - DAY]
        if len(today) >= MAX_A_DAY:
            raise Unready("QUOTA", f"{MAX_A_DAY} challenges were published within a day")
        await self._committer.append([Challenge(now, doubted.origin, doubted.index, doubted.leaf).encode()])
        self.counts.challenged += 1
        self.counts.pending.pop(doubted.leaf, None)
        log.warning("record challenged", record=str(doubted), member=pending.member, why=pending.bad)

    # -- at random

    async def _draw_daily(self) -> None:
        await asyncio.sleep(self._clock.jittered(DAY / 2, 1.0))
        while True:
            try:
                await self.draw()
            except PlimsollError as error:
                log.info("no random record was asked about", why=str(error))
            await asyncio.sleep(DAY)

    async def draw(self) -> Doubted | None:
        """Asks about one open position of one other member's log, each as likely; None where none was found."""
        others = [member.name for member in self._consortium.manifest.members if member.name in self._links]
        if not others:
            return None
        member = others[self._random(len(others))]
        held = self._chain.log(member)
        doubted = await self._off_loop(lambda: self._drawn(held))
        if doubted is not None:
            self._begin(member, doubted)
        return doubted

    def _drawn(self, held: Log) -> Doubted | None:
        """Entries are drawn until one is an open position, so that each of these is as likely as any other."""
        for _ in range(DRAWS if held.size else 0):
            index = self._random(held.size)
            entry = held.entry(index)
            if is_challengeable(entry, leaf := leaf_hash(entry)):
                return Doubted(held.origin, index, leaf)
        return None

    def _random(self, below: int) -> int:
        return int.from_bytes(self._rng(16), "big") % below

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
