"""Exposure queries (protocol sections 8 to 13), driven: the core's `Query` does the thinking, this the I/O.

Queries about one borrower take turns, as a custodian answers a member's newest inquiry only. Nothing of a query is
written down but the Inquiry entry; the query key lives in memory for as long as the query does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import TypeVar

import structlog
from plimsoll.v1 import lender_pb2

from ledger.borrower.identity import canonical
from ledger.borrower.labels import BorrowerKeys
from ledger.chain.chain import Chain
from ledger.chain.covered import Covered
from ledger.challenges.settling import NothingSettled, Settling
from ledger.crypto.dlog import Table
from ledger.errors import Exhausted, InvalidInput, PlimsollError, Unready
from ledger.queries.answer import Answer
from ledger.queries.exposure import Left, LogAge, expose
from ledger.queries.freezing import Freezing, NothingFrozen
from ledger.queries.inquiry import PURPOSES
from ledger.queries.query import Asking as Setting
from ledger.queries.query import Query
from ledger.queries.selection import Contribution
from ledger.queries.transcript import FULL, REDACTED, Transcript
from node.chain.committer import Committer
from node.chain.freshness import Freshness
from node.chain.gossip import Gossip
from node.chain.named_logs import NamedLogs
from node.chain.tails import tail
from node.clock import Clock
from node.consortium import Consortium
from node.custody.custodians import Custodians
from node.custody.custody import Custody
from node.custody.quorum import ask_quorum
from node.lending.pseudonyms import Pseudonyms
from node.lending.quotas import Allowance

T = TypeVar("T")
Suspect = Callable[[Sequence[Contribution], Sequence[str]], object]
log = structlog.get_logger()

#: Seconds a custodian may take.
TIMEOUT = 5.0
#: Seconds after which another custodian is asked (design section 6); more where custodians are slower than that lately.
PATIENCE = 0.010
#: Seconds for which custodians that do not know the keys yet are asked again.
BEHIND = 5.0
#: Seconds that reading the sums may take. Where three are beyond all range it takes 3 on a machine that does nothing
#: else; clients wait 30.
SEARCH = 20.0
#: Bytes.
CONSENT_DIGEST_SIZE = 32
#: Queries under way at once; more wait their turn.
AT_ONCE = 32


class Asking:
    """Answers this lender's questions."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        gossip: Gossip,
        freshness: Freshness,
        custody: Custody,
        custodians: Custodians,
        pseudonyms: Pseudonyms,
        committer: Committer,
        table: Table,
        executor: Executor,
        freezing: Freezing | None = None,
        clock: Clock | None = None,
        settling: Settling | None = None,
        suspect: Suspect | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        """freezing: what is known of frozen logs. settling: of heads witnessed in the past. suspect: told of records
        whose sums cannot be, and which checks failed. allowance: keeps to the day's quota before anything is logged."""
        self._consortium = consortium
        self._member = consortium.member
        self._freezing = freezing or NothingFrozen()
        self._clock = clock or Clock()
        self._settling = settling or NothingSettled()
        self._suspect = suspect
        self._allowance = allowance
        self._logs = NamedLogs(chain, consortium.id)
        self._chain = chain
        self._gossip = gossip
        self._freshness = freshness
        self._custody = custody
        self._custodians = custodians
        self._pseudonyms = pseudonyms
        self._committer = committer
        self._table = table
        self._executor = executor
        self._room = asyncio.Semaphore(AT_ONCE)
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}  # by borrower; how many wait or run

    async def exposure(self, request: lender_pb2.ExposureRequest) -> lender_pb2.ExposureResponse:
        """One borrower's exposure. Raises InvalidInput, Unready before the keys are there, Unavailable naming the
        custodians that are missing, Exhausted for a quota, Refused as custodians refuse."""
        borrower = _checked(request)
        setting = self._setting()
        async with self._room, self._turn(borrower):
            keys = BorrowerKeys.from_pseudonym_key(await self._pseudonyms.key(borrower)).query
            async with self._allowed():
                now = int(self._clock.unix())
                query = await self._off_loop(
                    lambda: Query.begin(setting, keys, int(request.purpose), request.consent_digest, now)
                )
                index = await self._committer.append([query.entry])
            failures = await self._ask(setting, query, index)
            try:
                answer = await self._off_loop(lambda: query.finish(self._table, self._until(SEARCH)))
            except Exhausted as error:  # a sum that nobody finds is no honest one, mostly
                self._doubt(query, error.reason)
                raise
            if answer.implausible:
                self._doubt(query, *answer.implausible)
            exposure = expose(answer, borrower, self._ages(answer), self._failed(setting, query, failures))
            return exposure.to_message(_transcript(answer, request.transcript))

    async def prepare(self, requests: Sequence[lender_pb2.ExposureRequest]) -> None:
        """What questions that will be asked soon have in common, done for all at once: their pseudonym keys. What does
        not work out is left to the question itself."""
        borrowers: dict[str, None] = {}
        for request in requests:
            with suppress(PlimsollError):
                borrowers[_checked(request)] = None
        with suppress(PlimsollError):
            await self._pseudonyms.prepare(list(borrowers))

    def _allowed(self) -> AbstractAsyncContextManager[None]:
        """Room for one inquiry. Raises Exhausted (QUOTA)."""
        if self._allowance is None:
            return nullcontext()
        return self._allowance.one(self._consortium.manifest.policy.inquiries_per_day)

    def _doubt(self, query: Query, *why: str) -> None:
        """Some record that was added up may be one that cannot be."""
        if self._suspect is not None:
            self._suspect(query.examine().selection.contributions, why)

    def _setting(self) -> Setting:
        keys, examiner = self._custody.keys, self._custody.examiner
        if keys is None or examiner is None:
            raise Unready("NO_KEYS", "the key ceremony is not final yet")
        logs = {name: Covered(log) for name, log in self._logs.items()}
        return Setting(self._consortium.history, keys, examiner, logs, self._member, self._freezing, self._settling)

    async def _ask(self, setting: Setting, query: Query, index: int) -> Mapping[str, PlimsollError]:
        """Has t custodians answer the logged inquiry; who failed."""
        log = self._chain.log(self._member)
        request = await self._off_loop(lambda: query.logged(index, log.receipt(index).encode(), tail(log, index)))
        custodians = setting.keeping
        examined = asyncio.ensure_future(self._off_loop(query.examine))  # while the other custodians do the same

        async def ask(member: str) -> bool:
            with self._gossip.bringing(member, log.origin, index + 1):
                response = await self._custodians.decrypt(member, request, TIMEOUT, examined)
            await examined
            place = custodians.custodian_index(member)
            if member == self._member:
                return query.accept(place, response, is_own=True)
            return await self._off_loop(lambda: query.accept(place, response))

        patience = max(PATIENCE, 2 * self._custodians.latency(custodians))
        try:
            order = self._custodians.order(custodians)
            return await ask_quorum(order, custodians.threshold, ask, patience, BEHIND)
        finally:
            await asyncio.gather(examined, return_exceptions=True)

    def _failed(self, setting: Setting, query: Query, failures: Mapping[str, PlimsollError]) -> list[Left]:
        """Custodians whose answer was wrong, or that had none."""
        names = setting.keeping.custodians
        wrong = {names[index - 1]: reason for index, reason in query.failed.items()}
        named = {member: wrong.get(member, error.reason) for member, error in failures.items()}
        for member, reason in named.items():
            log.warning("custodian failed", custodian=member, reason=reason)
        return [Left(member, reason) for member, reason in sorted(named.items())]

    def _ages(self, answer: Answer) -> list[LogAge]:
        """How current each log is that was used."""
        pairs = zip(answer.manifest.members, answer.heads, strict=True)
        return [self._freshness.of(member.name, head.size) for member, head in pairs]

    @asynccontextmanager
    async def _turn(self, borrower: str) -> AsyncIterator[None]:
        """One query about a borrower at a time; nothing is kept of borrowers nobody asks about."""
        lock, waiting = self._turns.get(borrower, (asyncio.Lock(), 0))
        self._turns[borrower] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns[borrower]
            if waiting == 1:
                del self._turns[borrower]
            else:
                self._turns[borrower] = lock, waiting - 1

    def _until(self, seconds: float) -> Callable[[], bool]:
        deadline = self._clock.monotonic() + seconds
        return lambda: self._clock.monotonic() < deadline

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _checked(request: lender_pb2.ExposureRequest) -> str:
    """The canonical identity asked about. Raises InvalidInput with the field's path."""
    borrower = canonical(request.borrower)
    if request.purpose not in PURPOSES:
        raise InvalidInput("BAD_PURPOSE", f"must be one of {', '.join(PURPOSES.values())}", "purpose")
    if len(request.consent_digest) != CONSENT_DIGEST_SIZE:
        raise InvalidInput("BAD_LENGTH", f"must be {CONSENT_DIGEST_SIZE} bytes", "consent_digest")
    if request.transcript not in lender_pb2.TranscriptForm.values():
        raise InvalidInput("BAD_TRANSCRIPT_FORM", "there is no such form", "transcript")
    return borrower


def _transcript(answer: Answer, form: int) -> bytes:
    if form == lender_pb2.TRANSCRIPT_FORM_FULL:
        return Transcript.of(answer, FULL).encode()
    if form == lender_pb2.TRANSCRIPT_FORM_REDACTED:
        return Transcript.of(answer, REDACTED).encode()
    return b""
