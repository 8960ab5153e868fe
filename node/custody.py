"""This node as custodian: its part in the key ceremony, and its answers once it holds shares.

It drives two state machines of the core, `ceremony.Participant` and `Custodian`, and does the I/O they ask for: what
they must remember is on disk, sealed, before anything that rests on it leaves the node.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

import structlog
from plimsoll.v1 import operator_pb2, peer_pb2

from ledger.ceremony import (
    Append,
    Ceremony,
    CeremonyContext,
    Checks,
    Erase,
    Installed,
    Participant,
    Persist,
    Timing,
    replay,
)
from ledger.chain import Chain
from ledger.custodian import Custodian
from ledger.errors import PlimsollError, Unready, Unverified
from ledger.findings import Examiner
from ledger.keys import PublicKeys
from ledger.manifest import Manifest
from ledger.receipt import Receipt
from ledger.replica_gap import LacksEntries
from node.arrivals import Arrivals
from node.clock import Clock
from node.committer import Committer
from node.consortium import Consortium
from node.following import Following
from node.gossip import Gossip
from node.vault import Vault

T = TypeVar("T")
log = structlog.get_logger()

#: Seconds between two looks at the logs while the ceremony is under way, and after it (late complaints).
BUSY, IDLE = 0.2, 5.0
#: Seconds that entries which an inquiry names may take to be fetched.
FETCH_TIMEOUT = 4.0


class Custody:
    """Also for a member that is no custodian: it follows the ceremony and knows the public keys."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        vault: Vault,
        gossip: Gossip,
        arrivals: Arrivals,
        committer: Committer,
        executor: Executor,
        rng: Callable[[int], bytes],
        timing: Timing | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._consortium = consortium
        self._member = consortium.member
        self._chain = chain
        self._vault = vault
        self._gossip = gossip
        self._arrivals = arrivals
        self._committer = committer
        self._executor = executor
        self._rng = rng
        self._clock = clock or Clock()
        self._context = CeremonyContext.of(consortium.history.keeping(1))
        self._checks = Checks()
        self._following = Following(chain, self._context)
        self._ceremony: Ceremony | None = None
        self._timing = timing
        #: The public keys, once they are final.
        self.keys: PublicKeys | None = None
        self._participant = self._take_part()
        self._custodian: Custodian | None = None
        # A caller waits behind its own questions before it waits behind others', so that many of one member's delay
        # another's by one; and nobody waits in a thread, of which there are few.
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._one_at_a_time = asyncio.Lock()
        #: What logs say about inquiries; shared with this node's own queries. There once the keys are.
        self.examiner: Examiner | None = None

    @property
    def custodians(self) -> tuple[str, ...]:
        """Who holds shares of the keys in use, by index from 1 on."""
        return self._keeping.custodians

    @property
    def threshold(self) -> int:
        """How many of them it takes."""
        return self._keeping.threshold

    @property
    def _keeping(self) -> Manifest:
        return self._consortium.history.keeping(1 if self.keys is None else self.keys.epoch)

    @property
    def holds_shares(self) -> bool:
        """Whether this node can answer as custodian."""
        return self._custodian is not None

    async def run(self, serving: Callable[[bool], Awaitable[None]]) -> None:
        """Follows the ceremony for ever; tells `serving` when the keys are there."""
        told = False
        while True:
            pause = BUSY
            try:
                await self._step()
            except PlimsollError as error:  # a log or the vault cannot be read: the rest of the node goes on
                log.error("key ceremony cannot be followed", why=str(error))
                pause = IDLE
            if self.keys is not None and not told:
                told = True
                await serving(True)
            done = told and (self.holds_shares or self._participant is None)
            await asyncio.sleep(IDLE if done else pause)

    # -- answering

    async def evaluate(self, caller: str, request: peer_pb2.EvaluateRequest) -> peer_pb2.EvaluateResponse:
        """Checks E1 to E4 and the batch evaluated. `caller` is the member of the caller's certificate."""
        custodian = self._ready()
        if request.HasField("tail"):
            await self._join(caller, request.tail)
        self._gossip.check_one_history(caller)
        return await self._with_entries(caller, lambda: custodian.evaluate(caller, request, int(self._clock.unix())))

    async def decrypt(self, caller: str, request: peer_pb2.DecryptRequest) -> peer_pb2.DecryptResponse:
        """Checks Q1 to Q10 and this custodian's part of the sums."""
        custodian = self._ready()
        if request.HasField("tail"):
            await self._join(caller, request.tail)
        self._gossip.check_one_history(caller)
        try:
            return await self._with_entries(
                caller, lambda: custodian.answer(caller, request, int(self._clock.unix()), self._held_before)
            )
        except Unverified as error:
            if error.reason == "FORK":  # shown by the receipt's head alone: it counts from now on
                receipt = Receipt.parse(request.receipt)
                await self._gossip.look_at(receipt.claimed_head, receipt.head_note)
            raise

    async def _join(self, caller: str, tail: peer_pb2.Block) -> None:
        """The tail of the caller's log goes into the replica, durable, before anything is answered."""
        if caller == self._member or tail.origin != self._consortium.manifest.origin(caller):
            return  # another log's entries are gossip's business
        await self._gossip.take(tail)

    async def _with_entries(self, caller: str, work: Callable[[], T]) -> T:
        """work(), fetching the entries it lacks; a node that cannot get them says so."""
        deadline = self._clock.monotonic() + FETCH_TIMEOUT
        while True:
            try:
                async with self._turns[caller], self._one_at_a_time:
                    return await self._to_its_end(work)
            except LacksEntries as lacking:
                remaining = deadline - self._clock.monotonic()
                if remaining <= 0:
                    raise
                await self._gossip.fetch(lacking.member, lacking.size, [caller], remaining)

    async def _to_its_end(self, work: Callable[[], T]) -> T:
        """work() in a thread. Where the caller goes away meanwhile, the next one still waits for the end of it."""
        job = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            return await asyncio.shield(job)
        finally:
            while not job.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([job])
            if not job.cancelled():
                job.exception()  # looked at, so that nobody logs that it was not

    def _held_before(self, member: str) -> int:
        return self._arrivals.held_before(member, self._clock.monotonic())

    def _ready(self) -> Custodian:
        if self._custodian is None:
            raise Unready("NO_SHARES", f"{self._member} holds no shares of the keys")
        return self._custodian

    # -- the ceremony

    async def _step(self) -> None:
        """One look at the logs, and what follows from it."""
        failed = 0 if self._ceremony is None else len(self._ceremony.failed)
        entries = await self._off_loop(lambda: self._following.entries(failed))
        participant = self._participant
        if participant is None:
            self._ceremony = await self._off_loop(lambda: replay(self._context, entries, self._checks))
        else:
            actions = await self._off_loop(lambda: participant.step(entries, self._clock.unix()))
            self._ceremony = participant.ceremony
            if not self._committer.is_open and any(isinstance(action, Append) for action in actions):
                # What it would say it may have said already, in entries that this log does not hold yet.
                self._participant = self._take_part()
                actions = []
            try:
                for action in actions:
                    await self._execute(action)
            except PlimsollError as error:
                # What was persisted is the truth from here on: the participant is made anew of it.
                log.error("key ceremony step failed", why=str(error))
                self._participant = self._take_part()
        if self.keys is None and self._ceremony is not None and self._ceremony.keys is not None:
            self._use(self._ceremony.keys)

    async def _execute(self, action: Append | Persist | Erase | Installed) -> None:
        if isinstance(action, Append):
            await self._committer.append([action.entry])
        elif isinstance(action, Persist):
            await self._off_loop(lambda: self._vault.store(action.state))
        elif isinstance(action, Erase):
            await self._off_loop(self._vault.erase_former)
        else:
            self._use(action.keys)
            logs = {log.member: log for log in self._chain.logs()}
            self._custodian = Custodian(
                self._consortium.manifest, action.keys, action.shares, logs, self._rng, self.examiner
            )
            log.info("holding shares", epoch=action.keys.epoch, custodian=action.shares.index)

    def _use(self, keys: PublicKeys) -> None:
        if self.keys is None:
            self.examiner = Examiner(self._consortium.manifest, keys)
            self.keys = keys
            log.info("keys are final", epoch=keys.epoch)

    def _take_part(self) -> Participant | None:
        if self._member not in self._keeping.custodians:
            return None
        return Participant(self._context, self._member, self._rng, self._timing, self._vault.load())

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    # -- for the operator

    def status(self) -> operator_pb2.KeyStatus:
        """Where the ceremony stands."""
        ceremony = self._ceremony
        return operator_pb2.KeyStatus(
            epoch=0 if self.keys is None else self.keys.epoch,
            custodian=self._keeping.custodian_index(self._member) if self._member in self._keeping else 0,
            threshold=self.threshold,
            custodians=len(self.custodians),
            phase="" if ceremony is None else ceremony.phase,
            waiting_for=() if ceremony is None else ceremony.waiting_for,
            holds_shares=self.holds_shares,
            public_keys=[] if self.keys is None else [point.hex() for point in self.keys],
        )
