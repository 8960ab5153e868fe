"""Members of one process that doubt, prove and answer; chains, committers and proofs are real."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from types import SimpleNamespace
from typing import Any

from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.chain.chain import Replica
from ledger.chain.entries import parse_entry
from ledger.challenges.challenge import Challenge, ChallengeAnswer
from ledger.consortium.history import History
from ledger.errors import PlimsollError, Unavailable
from ledger.queries.findings import Examiner
from ledger.queries.freezing import NothingFrozen
from ledger.queries.selection import Contribution
from ledger.tlog.merkle import leaf_hash
from node.challenges.answering import Answering
from node.challenges.doubting import Doubting
from node.challenges.proving import Proving
from node.challenges.record import Doubted
from node.consortium import Consortium as Known
from tests.ledger.dishonest import encrypt_any, with_ciphertext
from tests.ledger.sample_challenges import NEGATIVE
from tests.ledger.sample_consortium import Consortium, MemoryLog, deal, loan
from tests.ledger.witnesses import signer
from tests.lenders import seeded
from tests.node.witnesses import MANIFEST, Node

HISTORY = History([MANIFEST])
CEREMONY = deal(5, 3, seeded("challenges"))
BORROWER = "test:1"


class Direct:
    """To another party: what it answers, or what a test wants it to."""

    def __init__(self, caller: str, to: Party) -> None:
        self.caller = caller
        self.to = to
        self.asked = 0

    async def prove(self, request: peer_pb2.ProveRequest, timeout: float) -> bytes:
        self.asked += 1
        if self.to.node.is_away:
            raise Unavailable("UNREACHABLE", "does not answer")
        if self.to.shows is not None:
            return self.to.shows
        return (await self.to.proving.answer(self.caller, request)).proof


class Party:
    """One member. shows: what it answers in place of a proof."""

    def __init__(self, number: int, threads: Executor) -> None:
        self.node = Node(number, threads)
        self.member = self.node.member
        self.shows: bytes | None = None
        self.links: dict[str, Direct] = {}
        self.clock = self.node.clock
        self.chain = self.node.chain
        logs = {each.name: MemoryLog(signer(place)) for place, each in enumerate(MANIFEST.members, 1)}
        self.book = Consortium(HISTORY, CEREMONY, logs, {}, {}, seeded(f"book {number}"))
        known = Known(self.member, HISTORY)
        custody: Any = SimpleNamespace(keys=CEREMONY.public, examiner=Examiner(HISTORY, CEREMONY.public))
        keyring: Any = SimpleNamespace(backup_key=bytes(32))
        links: Any = self.links
        rng = seeded(f"node {number}")
        self.proving = Proving(known, keyring, self.chain, custody, NothingFrozen(), threads, rng, self.clock)
        self.doubting = Doubting(known, self.chain, custody, links, self.node.committer, threads, rng, self.clock)
        self.answering = Answering(known, self.chain, self.proving, self.node.committer, threads, self.clock)

    @property
    def log(self) -> Any:
        return self.chain.log(self.member)

    def append(self, *entries: bytes) -> int:
        return self.chain.own(signer(self.node.number)).append(entries)

    def publish(self, borrower: str = BORROWER, **loans: Any) -> int:
        """An honest position."""
        return self.append(self.book.position_entry(self.member, borrower, loan(100, **loans)))

    def lie(self, borrower: str = BORROWER) -> int:
        """A position that cannot be."""
        entry = self.book.position_entry(self.member, borrower, loan(100))
        label = parse_entry(entry).position.label
        return self.append(with_ciphertext(entry, encrypt_any(self.book, self.member, label, NEGATIVE)))

    def doubted(self, index: int) -> Doubted:
        """One of its own records."""
        return Doubted(self.log.origin, index, leaf_hash(self.log.entry(index)))

    def contribution(self, index: int) -> Contribution:
        """The same as a query sees it."""
        entry = self.log.entry(index)
        return Contribution(self.member, 0, index, entry, None)  # type: ignore[arg-type]

    def challenged(self) -> list[Doubted]:
        """In its log."""
        entries = (Challenge.parse(entry) for _, entry in self.log.entries_by_kind("challenge"))
        return [Doubted(each.origin, each.index, each.leaf) for each in entries]

    def answered(self) -> list[ChallengeAnswer]:
        """In its log."""
        return [ChallengeAnswer.parse(entry) for _, entry in self.log.entries_by_kind("challenge_answer")]

    def holds(self, *others: Party) -> None:
        """All that these have appended."""
        for other in others:
            for block in blocks_from(other.log, self.chain.log(other.member).size):
                Replica(self.chain.log(other.member)).apply(block)


def parties(threads: Executor, count: int = 3) -> list[Party]:
    """The first so many of five members, all linked."""
    made = [Party(number, threads) for number in range(1, count + 1)]
    for one in made:
        one.links.update({other.member: Direct(one.member, other) for other in made if other is not one})
    return made


async def until(holds: Any, seconds: float = 20.0) -> None:
    """Until it does."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 -- what is waited for says nothing
            await asyncio.sleep(0.01)


async def refusal(work: Any) -> str:
    """The reason of what it raises."""
    try:
        await work
    except PlimsollError as error:
        return error.reason
    return ""
