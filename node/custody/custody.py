"""This node as custodian: its answers to evaluations and inquiries (protocol sections 6, 9 and 11).

It drives the core's `Custodian`, of which there is one for each key epoch whose shares are held, and does the I/O.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import TypeVar

import structlog
from plimsoll.v1 import peer_pb2

from ledger.borrower.evaluation import Evaluation
from ledger.chain.chain import Chain
from ledger.chain.replica_gap import LacksEntries
from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput, Refused, Unready, Unverified
from ledger.keys import PublicKeys
from ledger.queries.custodian import Custodian
from ledger.queries.findings import Examiner, Findings
from ledger.queries.freezing import Freezing, NothingFrozen
from ledger.queries.inquiry import Inquiry
from ledger.tlog.checkpoint import parse_head_text
from ledger.tlog.note import parse_note
from ledger.tlog.receipt import Receipt
from node.chain.arrivals import Arrivals
from node.chain.gossip import Gossip
from node.chain.named_logs import NamedLogs
from node.clock import Clock
from node.consortium import Consortium
from node.custody.ceremonies import Ceremonies
from node.custody.turns import Turns

T = TypeVar("T")
log = structlog.get_logger()

#: Seconds that other custodians may take to store the log up to an inquiry, before it is answered without them.
PASS_ON_TIMEOUT = 0.5
#: Seconds that this node may take to learn of a manifest or a key epoch that an asker knows already; and between looks.
CATCH_UP_TIMEOUT, LOOK_AGAIN = 4.0, 0.1
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
        freezing: Freezing | None = None,
        clock: Clock | None = None,
    ) -> None:
        """freezing: what is known of frozen logs."""
        self._consortium = consortium
        self._member = consortium.member
        self._chain = chain
        self._ceremonies = ceremonies
        self._gossip = gossip
        self._arrivals = arrivals
        self._executor = executor
        self._rng = rng
        self._freezing = freezing or NothingFrozen()
        self._clock = clock or Clock()
        self._logs = NamedLogs(chain, consortium.id)
        self._followed = consortium.history
        #: When (monotonic) manifests were replaced: askers may not know of it for a while.
        self._replaced: dict[bytes, float] = {}
        self._custodians: dict[int, Custodian] = {}
        # An evaluation may take half a second, an answer takes a few milliseconds: they do not wait for each other.
        self._evaluations, self._answers = Turns(executor), Turns(executor)
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
            async with self._evaluations.alone, self._answers.alone:
                self._take_over()
            self._note_witnessed()
            if self.keys is not None and not told:
                told = True
                log.info("keys are final", epoch=self.keys.epoch)
                await serving(True)

        await self._ceremonies.run(stepped)

    def _take_over(self) -> None:
        """What the ceremonies have brought, and the manifest in force."""
        history, keys, shares = self._consortium.history, self.keys, self._ceremonies.shares
        if history is not self._followed:
            self._replaced[self._followed.current.id] = self._clock.monotonic()
            self._followed = history
            for custodian in self._custodians.values():
                custodian.follow(history, self._logs)
            if self.examiner is not None:
                self.examiner.follow(history)
        if keys is None:
            return
        if self.examiner is None:
            self.examiner = Examiner(history, keys)
        for epoch in shares.keys() - self._custodians.keys():
            public = self._ceremonies.keys_of(epoch)
            if public is not None:
                self._custodians[epoch] = Custodian(
                    history, public, shares[epoch], self._logs, self._rng, self.examiner
                )
        for epoch in self._custodians.keys() - shares.keys():
            del self._custodians[epoch]

    # -- answering

    async def evaluate(self, caller: str, request: peer_pb2.EvaluateRequest) -> peer_pb2.EvaluateResponse:
        """Checks E1 to E4 and the batch evaluated. `caller` is the member of the caller's certificate."""
        if request.HasField("tail"):
            await self._join(caller, request.tail)
        self._gossip.check_one_history(caller)
        await self._catch_up_with_evaluation(caller, request.index)
        self._check_ready()
        return await self._answer(
            self._evaluations, caller, lambda custodian: custodian.evaluate(caller, request, self._now())
        )

    async def decrypt(
        self, caller: str, request: peer_pb2.DecryptRequest, findings: Findings | None = None
    ) -> peer_pb2.DecryptResponse:
        """Checks Q1 to Q10 and this custodian's part of the sums.

        findings: see `Custodian.answer`; for this node's own questions alone.
        """
        if request.HasField("tail"):
            await self._join(caller, request.tail)
        self._gossip.check_one_history(caller)
        await self._catch_up_with_inquiry(caller, request.entry)
        self._check_ready()
        passing = asyncio.create_task(self._pass_on(caller, request))  # while it is worked out
        try:
            response = await self._answer(
                self._answers,
                caller,
                lambda custodian: custodian.answer(
                    caller, request, self._now(), self._held_before, self._freezing, self._replaced_lately(), findings
                ),
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
        block = request.tail if request.HasField("tail") else None
        others = [name for name in self.keeping.custodians if name not in (caller, self._member)]
        return await self._gossip.pass_on(caller, index, others, (len(others) + 1) // 2, PASS_ON_TIMEOUT, block)

    async def _answer(self, turns: Turns, caller: str, work: Callable[[Custodian], T]) -> T:
        """By the shares of the epoch that is asked for: the one in force, or one before that is not erased yet."""
        *others, newest = sorted(self._custodians)
        for epoch in (newest, *reversed(others)):
            custodian = self._custodians[epoch]
            try:
                return await self._with_entries(turns, caller, partial(work, custodian))
            except Refused as error:
                if error.reason != "OTHER_EPOCH":
                    raise
                refusal = error
        raise refusal

    async def _catch_up_with_inquiry(self, caller: str, entry: bytes) -> None:
        with suppress(InvalidInput):  # refused where the rest is
            inquiry = Inquiry.parse(entry)
            await self._catch_up_with(caller, inquiry.epoch, inquiry.manifest)

    async def _catch_up_with_evaluation(self, caller: str, index: int) -> None:
        held = self._chain.log(caller)
        if index < held.size:
            with suppress(InvalidInput):  # likewise
                await self._catch_up_with(caller, Evaluation.parse(held.entry(index)).epoch)

    async def _catch_up_with(self, caller: str, epoch: int, manifest: bytes | None = None) -> None:
        """Waits a little where the asker knows of a later manifest or key epoch than this node does yet. It is asked
        for what it knows: keys are final as soon as heads are known to be witnessed (protocol section 5), and by itself
        this node might hear of them a heartbeat later only."""
        if self._knows(epoch, manifest):
            return
        comparing = asyncio.create_task(self._gossip.compare(caller))
        try:
            deadline = self._clock.monotonic() + CATCH_UP_TIMEOUT
            while self._clock.monotonic() < deadline:
                await asyncio.sleep(LOOK_AGAIN)
                if self._knows(epoch, manifest):
                    return
        finally:
            comparing.cancel()

    def _knows(self, epoch: int, manifest: bytes | None) -> bool:
        """Whether there is nothing to wait for: no shares of this epoch will come that are not here."""
        history = self._followed
        if manifest is not None and history.get(manifest) is None:
            return False
        if epoch <= max(self._custodians, default=0):
            return True
        if self._ceremonies.lost and self.keys is not None and epoch <= self.keys.epoch:
            return True
        return epoch <= history.current.epoch and self._member not in history.keeping(epoch).custodians

    async def _join(self, caller: str, tail: peer_pb2.Block) -> None:
        """The tail of the caller's log goes into the replica, durable, before anything is answered."""
        if caller == self._member or tail.origin != self._consortium.manifest.origin(caller):
            return  # another log's entries are gossip's business
        await self._gossip.take(tail)

    async def _with_entries(self, turns: Turns, caller: str, work: Callable[[], T]) -> T:
        """work(), fetching the entries it lacks; a node that cannot get them says so."""
        deadline = self._clock.monotonic() + FETCH_TIMEOUT
        while True:
            try:
                return await turns.take(caller, work)
            except LacksEntries as lacking:
                remaining = deadline - self._clock.monotonic()
                if remaining <= 0:
                    raise
                await self._gossip.fetch(self._logs.origin(lacking.member), lacking.size, [caller], remaining)

    def _replaced_lately(self) -> list[bytes]:
        """The manifests that were in force a moment ago."""
        since = self._clock.monotonic() - self._consortium.manifest.policy.inquiry_seconds
        return [identity for identity, replaced in self._replaced.items() if replaced > since]

    def _held_before(self, name: str) -> int:
        """See `ledger.queries.freezing.HeldBefore`."""
        origin = self._logs.origin(name)
        noted = _witnessed(origin) if self._freezing.frozen(origin) else origin
        return self._arrivals.held_before(noted, self._clock.monotonic())

    def _note_witnessed(self) -> None:
        """How far frozen logs are known to have been witnessed."""
        for held in self._chain.logs():
            note = self._freezing.witnessed(held.origin) if self._freezing.frozen(held.origin) else b""
            if note:
                size = parse_head_text(parse_note(note).text).size
                self._arrivals.note(_witnessed(held.origin), size, self._clock.monotonic())

    def _now(self) -> int:
        return int(self._clock.unix())

    def _check_ready(self) -> None:
        if not self._custodians:
            raise Unready("NO_SHARES", f"{self._member} holds no shares of the keys")


def _witnessed(origin: str) -> str:
    """Under what the arrival of witnessed heads of a log is noted."""
    return f"{origin} witnessed"
