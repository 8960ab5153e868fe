"""This node as custodian: its answers to evaluations and inquiries (protocol sections 6, 9 and 11).

It drives the core's `Custodian`, of which there is one for each key epoch whose shares are held, and does the I/O.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import TypeVar

import structlog
from plimsoll.v1 import peer_pb2

from ledger.chain import Chain
from ledger.custodian import Custodian
from ledger.errors import InvalidInput, Refused, Unready, Unverified
from ledger.findings import Examiner
from ledger.inquiry import Inquiry
from ledger.joined import log_name
from ledger.keys import PublicKeys
from ledger.manifest import Manifest
from ledger.receipt import Receipt
from ledger.replica_gap import LacksEntries
from node.arrivals import Arrivals
from node.ceremonies import Ceremonies
from node.clock import Clock
from node.consortium import Consortium
from node.gossip import Gossip

T = TypeVar("T")
log = structlog.get_logger()

#: Seconds that other custodians may take to store the log up to an inquiry, before it is answered without them.
PASS_ON_TIMEOUT = 0.5
#: Seconds that this node may take to learn of a manifest or a key epoch that an asker knows already; and between looks.
CATCH_UP_TIMEOUT, LOOK_AGAIN = 3.0, 0.1
#: Seconds that entries which an inquiry names may take to be fetched.
FETCH_TIMEOUT = 4.0


class Custody:
    """Also for a member that is no custodian: it knows the keys, and what logs say about inquiries."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        ceremonies: Ceremonies,
        gossip: Gossip,
        arrivals: Arrivals,
        executor: Executor,
        rng: Callable[[int], bytes],
        clock: Clock | None = None,
    ) -> None:
        self._consortium = consortium
        self._member = consortium.member
        self._chain = chain
        self._ceremonies = ceremonies
        self._gossip = gossip
        self._arrivals = arrivals
        self._executor = executor
        self._rng = rng
        self._clock = clock or Clock()
        self._made_under: bytes = b""
        self._custodians: dict[int, Custodian] = {}
        # A caller waits behind its own questions before it waits behind others', so that many of one member's delay
        # another's by one; and nobody waits in a thread, of which there are few.
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._one_at_a_time = asyncio.Lock()
        #: What logs say about inquiries; shared with this node's own queries. There once the keys are.
        self.examiner: Examiner | None = None

    @property
    def keys(self) -> PublicKeys | None:
        """The public keys in force, once there are any."""
        return self._ceremonies.keys

    @property
    def keeping(self) -> Manifest:
        """The manifest whose custodians hold the shares of the keys in force."""
        return self._consortium.history.keeping(1 if self.keys is None else self.keys.epoch)

    @property
    def holds_shares(self) -> bool:
        """Whether this node can answer as custodian."""
        return self.keys is not None and self.keys.epoch in self._custodians

    async def run(self, serving: Callable[[bool], Awaitable[None]]) -> None:
        """Follows the ceremonies for ever; tells `serving` when the keys are there."""
        told = False

        async def stepped() -> None:
            nonlocal told
            self._take_over()
            if self.keys is not None and not told:
                told = True
                log.info("keys are final", epoch=self.keys.epoch)
                await serving(True)

        await self._ceremonies.run(stepped)

    def _take_over(self) -> None:
        """What the ceremonies have brought, and the manifest in force."""
        manifest, keys, shares = self._consortium.manifest, self.keys, self._ceremonies.shares
        if keys is None:
            return
        if self.examiner is None or self._made_under != manifest.id:
            self.examiner, self._made_under = Examiner(self._consortium.history, keys), manifest.id
            self._custodians = {}
        logs = {log_name(held.origin): held for held in self._chain.logs()}
        for epoch in shares.keys() - self._custodians.keys():
            public = self._ceremonies.keys_of(epoch)
            if public is not None:
                self._custodians[epoch] = Custodian(
                    self._consortium.history, public, shares[epoch], logs, self._rng, self.examiner
                )
        for epoch in self._custodians.keys() - shares.keys():
            del self._custodians[epoch]

    # -- answering

    async def evaluate(self, caller: str, request: peer_pb2.EvaluateRequest) -> peer_pb2.EvaluateResponse:
        """Checks E1 to E4 and the batch evaluated. `caller` is the member of the caller's certificate."""
        self._check_ready()
        if request.HasField("tail"):
            await self._join(caller, request.tail)
        self._gossip.check_one_history(caller)
        return await self._answer(caller, lambda custodian: custodian.evaluate(caller, request, self._now()))

    async def decrypt(self, caller: str, request: peer_pb2.DecryptRequest) -> peer_pb2.DecryptResponse:
        """Checks Q1 to Q10 and this custodian's part of the sums."""
        self._check_ready()
        if request.HasField("tail"):
            await self._join(caller, request.tail)
        self._gossip.check_one_history(caller)
        await self._catch_up_with(request.entry)
        passing = asyncio.create_task(self._pass_on(caller, request))  # while it is worked out
        try:
            response = await self._answer(
                caller, lambda custodian: custodian.answer(caller, request, self._now(), self._held_before)
            )
            if not await passing:  # it may have had to be fetched first
                await self._pass_on(caller, request)
        except Unverified as error:
            if error.reason == "FORK":  # shown by the receipt's head alone: it counts from now on
                receipt = Receipt.parse(request.receipt)
                await self._gossip.look_at(receipt.claimed_head, receipt.head_note)
            raise
        finally:
            passing.cancel()
        self._gossip.check_one_history(caller)
        return response

    async def _pass_on(self, caller: str, request: peer_pb2.DecryptRequest) -> bool:
        """Q3: has more than half of the custodians but the caller hold its log up to the inquiry, as far as they are
        there; whether they do.

        Who could answer an inquiry on another branch of that log does the same, so that one of them sees both branches.
        It takes this as the caller may be a custodian itself: for each branch it needs but t - 1 others.
        """
        if caller == self._member:
            return True
        try:
            index = Receipt.parse(request.receipt).index
        except InvalidInput:
            return False
        others = [name for name in self.keeping.custodians if name not in (caller, self._member)]
        return await self._gossip.pass_on(caller, index, others, (len(others) + 1) // 2, PASS_ON_TIMEOUT)

    async def _answer(self, caller: str, work: Callable[[Custodian], T]) -> T:
        """By the shares of the epoch that is asked for: the one in force, or one before that is not erased yet."""
        *others, newest = sorted(self._custodians)
        for epoch in (newest, *reversed(others)):
            custodian = self._custodians[epoch]
            try:
                return await self._with_entries(caller, partial(work, custodian))
            except Refused as error:
                if error.reason != "OTHER_EPOCH":
                    raise
                refusal = error
        raise refusal

    async def _catch_up_with(self, entry: bytes) -> None:
        """Waits a little where the asker knows of a later manifest or key epoch than this node does yet."""
        try:
            inquiry = Inquiry.parse(entry)
        except InvalidInput:
            return  # refused where the rest is
        deadline = self._clock.monotonic() + CATCH_UP_TIMEOUT
        while self._clock.monotonic() < deadline:
            known = self._consortium.history.get(inquiry.manifest) is not None
            if known and (inquiry.epoch in self._custodians or inquiry.epoch <= max(self._custodians)):
                return
            await asyncio.sleep(LOOK_AGAIN)

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

    def _now(self) -> int:
        return int(self._clock.unix())

    def _check_ready(self) -> None:
        if not self._custodians:
            raise Unready("NO_SHARES", f"{self._member} holds no shares of the keys")
