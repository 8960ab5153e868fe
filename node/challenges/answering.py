"""Answering in public where a record of this member's is challenged in another's log (docs/protocol.md, section 19).

The record is named there already, so the answer discloses nothing more; and what is not answered within a day is left
out of sums. Of each log no more challenges are looked at than count, and no more answered in half a day, so a flood of
them costs its author more than this member.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor
from itertools import islice

import structlog

from ledger.chain.chain import Chain, Log
from ledger.chain.entries import Kind, answer_label
from ledger.challenges.challenge import Challenge, ChallengeAnswer
from ledger.challenges.challenged import MAX_COUNTED
from ledger.consortium.joined import record_of
from ledger.errors import PlimsollError
from node.chain.committer import Committer
from node.chain.named_logs import NamedLogs
from node.challenges.proving import Proving
from node.challenges.record import Doubted
from node.clock import Clock
from node.consortium import Consortium

log = structlog.get_logger()

#: Seconds between two looks at how many challenges there are.
INTERVAL = 2.0
#: Seconds after which what failed is tried again.
AGAIN = 60.0
#: Seconds in which at most as many are answered to one log as count of it.
WINDOW = 12 * 3600.0


class Answering:
    """counted: challenges of own records that were answered. alerts: those that cannot be."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        proving: Proving,
        committer: Committer,
        executor: Executor,
        clock: Clock,
    ) -> None:
        self._consortium = consortium
        self._chain = chain
        self._proving = proving
        self._committer = committer
        self._executor = executor
        self._clock = clock
        self._seen: dict[str, int] = {}
        self._retry = 0.0
        self._unable: dict[Doubted, str] = {}
        self._answered: Counter[str] = Counter()
        self._window = 0.0
        self.counted = 0

    @property
    def alerts(self) -> list[str]:
        """What a person should look at."""
        return [f"{doubted} is challenged and not answered: {why}" for doubted, why in self._unable.items()]

    async def run(self) -> None:
        """For ever."""
        await self._committer.opened()
        while True:
            if self._clock.monotonic() >= self._window + WINDOW:
                self._window = self._clock.monotonic()
                self._answered.clear()
                self._seen.clear()
            for held in self._others():
                await self._look(held)
            await asyncio.sleep(self._clock.jittered(INTERVAL))

    def _others(self) -> list[Log]:
        return [each for each in self._chain.logs() if each.member != self._consortium.member]

    async def _look(self, held: Log) -> None:
        count = held.counts.get(Kind.CHALLENGE, 0)
        again = bool(self._unable) and self._clock.monotonic() >= self._retry
        if count == self._seen.get(held.origin, 0) and not again:
            return
        loop = asyncio.get_running_loop()
        try:
            due = await loop.run_in_executor(self._executor, lambda: list(self._due(held)))
        except PlimsollError as error:  # a replica that has rotted is told elsewhere
            log.warning("challenges cannot be read", origin=held.origin, why=str(error))
            return
        for doubted in due:
            if self._answered[held.origin] >= MAX_COUNTED:
                break
            await self._answer(doubted, held)
        self._seen[held.origin] = count

    def _due(self, held: Log) -> Iterator[Doubted]:
        """Own records that the newest challenges of a log name and that no answer stands for."""
        manifest, member = self._consortium.manifest, self._consortium.member
        own = {each.origin for each in self._chain.logs() if each.member == member}
        record = record_of(manifest, member, NamedLogs(self._chain, self._consortium.id)).log
        for _, entry in islice(held.entries_by_kind("challenge", reverse=True), MAX_COUNTED):
            challenge = Challenge.parse(entry)
            doubted = Doubted(challenge.origin, challenge.index, challenge.leaf)
            if doubted.origin not in own or doubted.entry(self._chain) is None:
                continue
            if record.find(answer_label(doubted.leaf)) is None:
                yield doubted

    async def _answer(self, doubted: Doubted, held: Log) -> None:
        self._answered[held.origin] += 1
        try:
            proof = await self._proving.proof(doubted)
            answer = ChallengeAnswer(int(self._clock.unix()), doubted.leaf, proof)
            await self._committer.append([answer.encode()])
        except PlimsollError as error:
            if error.reason != "LABEL_TAKEN":
                self._unable[doubted] = error.message
                self._retry = self._clock.monotonic() + AGAIN
                log.error("challenge not answered", record=str(doubted), by=held.member, why=str(error))
                return
        self._unable.pop(doubted, None)
        self.counted += 1
        log.info("challenge answered", record=str(doubted), by=held.member)
