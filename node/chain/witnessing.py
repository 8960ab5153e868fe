"""Heartbeats and cosignatures (design section 4, protocol section 18).

Every few seconds, also when idle, this node says which head of its own log is its newest, by cosigning it, and asks all
others to cosign that same head. What it is asked to cosign itself it compares with what it cosigned before, and
remembers, before its signature leaves. An absent witness stops nothing: a head that too few cosign is followed by the
next one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from plimsoll.v1 import peer_pb2

from ledger.chain.chain import Chain
from ledger.chain.log_heads import bare
from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput, NotFound, PlimsollError, Refused, Unavailable, Unready, Unverified
from ledger.tlog.checkpoint import Head, SignedHead, parse_head_text, sign_head
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import SignatureLine, Signer, parse_note
from ledger.tlog.tlog_witness import AddCheckpoint, verify_request
from ledger.witnessing.cosigned import open_cosigned, spoken_at, verify_witnessed_in
from ledger.witnessing.fork import Fork
from ledger.witnessing.witness import Witness
from ledger.witnessing.witnessed import Collected, Conflict, Witnessed
from node.chain.arrivals import Arrivals
from node.chain.freezing import Freezing
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.chain.unasked import Doing, Unasked
from node.clock import Clock
from node.consortium import Consortium
from node.wire.links import Link

T = TypeVar("T")
log = structlog.get_logger()

CALL_TIMEOUT = 5.0
#: Seconds after which a member is told everything again.
TELL_AGAIN = 60.0
#: Seconds after which a peer that lacked the entries is asked again about the same head, before the next beat is due.
RETRIES = (0.1, 0.2, 0.4, 0.8, 1.6)
#: Seconds from one beat to the next where something waits to be witnessed.
EARLY = 0.1
#: Seconds that the time of a heartbeat may lie ahead: it would look fresh until then, however silent its author is.
AHEAD = 120
#: Witnessed heads a peer may show: more than any consortium has logs.
MAX_NOTES = 1024


@dataclass
class _Told:
    """since: when a member was told everything. heads, cosigned: the texts of what it was last told."""

    since: float
    heads: frozenset[str] = frozenset()
    cosigned: frozenset[str] = frozenset()


class Witnessing:
    """This node as author and as witness. Runs until cancelled."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        signer: Signer,
        cosigner: Cosigner,
        witness: Witness,
        witnessed: Witnessed,
        links: Mapping[str, Link],
        gossip: Gossip,
        guard: SelfForkGuard,
        arrivals: Arrivals,
        freezing: Freezing,
        executor: Executor,
        clock: Clock | None = None,
    ) -> None:
        self._consortium = consortium
        self._member = consortium.member
        self._chain = chain
        self._signer = signer
        self._cosigner = cosigner
        self._witness = witness
        self._witnessed = witnessed
        self._links = links
        self._gossip = gossip
        self._guard = guard
        self._arrivals = arrivals
        self._freezing = freezing
        self._executor = executor
        self._clock = clock or Clock()
        self._history = consortium.history
        #: By log: who has shown its head of it since the start, and it was held here.
        self._compared: defaultdict[str, set[str]] = defaultdict(set)
        self._told: dict[str, _Told] = {}
        #: By origin of this node's own log: of how much of it the others know that it is witnessed.
        self._told_of: dict[str, int] = {}
        #: How many of the next beats come early.
        self._early = 0
        self._hurried = asyncio.Event()
        self._waiting: list[tuple[SignedHead, asyncio.Future[SignatureLine]]] = []
        self._cosigning: asyncio.Task[None] | None = None
        doing = Doing(self._may_cosign, self._cosigned, self._off_loop, self._is_news, self._show, self._keep)
        self.unasked = Unasked(consortium, chain, witness, witnessed, gossip.problems, doing, self._clock)

    # -- as author

    def hurry(self) -> None:
        """Others wait for what stands at the end of this node's log to be witnessed: the next two beats come early, one
        to have it cosigned and one to tell all who did. From the event loop."""
        self._early = 2
        self._hurried.set()

    async def run(self) -> None:
        """As author and as witness, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat_on())
            group.create_task(self.unasked.run())

    def told(self, origin: str) -> int | None:
        """Of a log that this node writes: the size of the largest witnessed head that the others have been told of;
        None where nothing has been told since the start, or is told any more."""
        return self._told_of.get(origin)

    async def _beat_on(self) -> None:
        """One heartbeat after the other."""
        await self._guard.opened()
        while True:
            due = self._clock.monotonic() + self._consortium.manifest.policy.heartbeat_seconds
            try:
                async with asyncio.timeout(self._consortium.manifest.policy.heartbeat_seconds):
                    await self._beat()
            except TimeoutError:
                pass  # somebody is slow; the next head is due
            except PlimsollError as error:
                log.warning("no heartbeat", why=str(error))
            except Exception as error:
                log.error("no heartbeat", exc_info=error)
            await self._rest(due)

    async def _rest(self, due: float) -> None:
        """Until the next beat."""
        if not self._early:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - self._clock.monotonic())):
                    await self._hurried.wait()
        if self._early:
            self._early -= 1
            await asyncio.sleep(EARLY)
        self._hurried.clear()

    def _follow(self) -> None:
        """A successor may be in force since."""
        if self._history is not self._consortium.history:
            self._history = self._consortium.history
            self._witnessed.follow(self._history)

    async def _beat(self) -> None:
        """The newest head, to all peers at once; the same one to everybody, as the log may grow meanwhile."""
        self._follow()
        manifest, own = self._consortium.manifest, self._chain.log(self._member)
        if self._chain.frozen(own.origin) or own.origin in self._gossip.problems:
            self._told_of.pop(own.origin, None)
            return
        signed = own.head or sign_head(Head(own.origin, 0, EMPTY_ROOT), self._signer)
        line = self._cosigner.cosign(signed.note.text, int(self._clock.unix()))
        note = bare(signed, own.key).note.with_signatures([line])
        before = self._witnessed.newest(own.origin)
        request = peer_pb2.WitnessRequest(
            head=note.encode(), witnessed=b"" if before is None else before.signed.note.encode()
        )
        collected = Collected(request.head, manifest, self._member)
        peers = [link for name, link in self._links.items() if name in manifest and name != self._member]
        size = 0 if before is None else before.size
        self._told_of.setdefault(own.origin, size)
        try:
            async with asyncio.TaskGroup() as group:
                for link in peers:
                    group.create_task(self._offer(link, request, collected, manifest))
        finally:  # who is slow has been told all the same
            self._told_of[own.origin] = max(size, self._told_of[own.origin])

    async def _offer(
        self, link: Link, request: peer_pb2.WitnessRequest, collected: Collected, manifest: Manifest
    ) -> None:
        for delay in (*RETRIES, 0.0):
            try:
                answer = await link.witness(request, CALL_TIMEOUT)
                if answer.head:
                    collected.add(await self._off_loop(collected.opened, answer.head))
                    if collected.time is not None:
                        await self._off_loop(self._witnessed.keep, collected.signed, manifest, self._member)
                    return
            except Unavailable:
                return
            except PlimsollError as error:
                log.info("not cosigned", peer=link.member, why=str(error))
                return
            except Exception as error:
                log.error("not cosigned", peer=link.member, exc_info=error)
                return
            await asyncio.sleep(delay)

    # -- as witness

    async def answer(self, caller: str, request: peer_pb2.WitnessRequest) -> peer_pb2.WitnessResponse:
        """The caller's head with this member's cosignature; empty where its tree is not held yet, or this node may not
        cosign yet. Raises Refused for another member's log, InvalidInput, Unverified (FORK for a log of two histories).
        """
        self._follow()
        manifest = self._consortium.manifest
        head = parse_head_text(parse_note(request.head).text)
        if caller not in manifest or head.origin != manifest.origin(caller):
            raise Refused("NOT_YOUR_LOG", "a member has its own log cosigned", "head")
        signed = await self._off_loop(open_cosigned, request.head, manifest, caller)
        spoken = spoken_at(signed, manifest, caller)
        if spoken is None:
            raise InvalidInput("NO_HEARTBEAT", "the author must have cosigned its head itself", "head")
        if spoken > self._clock.unix() + AHEAD:
            raise InvalidInput("FUTURE_HEARTBEAT", "the time of this heartbeat lies ahead", "head")
        self._gossip.check_one_history(caller)
        if request.witnessed:
            await self.learn([request.witnessed])
        held = self._chain.log(caller)
        if head.size > held.size:
            return peer_pb2.WitnessResponse()
        if held.root_at(head.size) != head.root:
            await self._show(signed)
            self._gossip.check_one_history(caller)
            raise Unverified("OTHER_ROOT", "the head is of another history than the one held", "head")
        self._arrivals.confirm(head.origin, self._clock.monotonic() - max(0.0, self._clock.unix() - spoken))
        if not self._may_cosign(head.origin) or self.unasked.holds_off(head):
            return peer_pb2.WitnessResponse()
        line = await self._cosigned(signed)
        if self._consortium.manifest is manifest:
            self.unasked.cosigned(caller, signed, line)
        return peer_pb2.WitnessResponse(head=signed.note.with_signatures([line]).encode())

    async def extend(self, request: AddCheckpoint) -> SignatureLine:
        """This member's line on another member's head, by C2SP tlog-witness: by the same rules, out of the same memory.

        Raises NotFound for any other log, Unready where this node may not cosign yet or lacks entries, Unverified
        (FORK) for a log of two histories, and as `Witness.extend`.
        """
        self._follow()
        manifest = self._consortium.manifest
        others = (each.name for each in manifest.members if each.name != self._member)
        author = next((name for name in others if manifest.origin(name) == request.origin), None)
        if author is None:
            raise NotFound("UNKNOWN_LOG", "no log of this origin is cosigned here", "checkpoint")
        await self._off_loop(verify_request, request, manifest.log_key(author))
        self._gossip.check_one_history(author)
        if not self._may_cosign(request.origin):
            raise Unready("UNCONFIRMED_MEMORY", "other members must first say how far this log has got")
        if not request.size:  # every history begins with nothing, so there is no turn to wait for
            return await self._off_loop(self._witness.extend, request, int(self._clock.unix()))
        signed = SignedHead(Head(request.origin, request.size, request.root), request.note)
        if self.unasked.holds_off(signed.head):
            raise Unready("OVERDUE_LOG", "this log is overdue, and is cosigned in turns: ask again later", "checkpoint")
        await self._take_over(signed)
        try:
            line = await self._off_loop(self._witness.extend, request, int(self._clock.unix()))
        except PlimsollError as error:
            if isinstance(error, Fork):
                self._freezing.found(error)
            await self._show_other(signed)
            raise
        if self._consortium.manifest is manifest:
            self.unasked.cosigned(author, signed, line)
        return line

    async def _show_other(self, signed: SignedHead) -> None:
        """A head that its author has signed, and that is of another history than the one held, is a fork."""
        head, held = signed.head, self._chain.log_by_origin(signed.head.origin)
        if 0 < head.size <= held.size and held.root_at(head.size) != head.root:
            await self._show(signed)

    def compared(self, origin: str, member: str) -> None:
        """This member shows no more of this log than is held here, and nothing else."""
        self._compared[origin].add(member)

    def _may_cosign(self, origin: str) -> bool:
        """What this node cosigned last may be on a disk it has lost: it first hears from more than half of the others
        how far the log has got, as it does about its own."""
        others = self._consortium.manifest.members
        heard = sum(each.name in self._compared[origin] for each in others)
        return self._guard.is_open and heard >= (len(others) - 1) // 2 + 1

    async def _cosigned(self, signed: SignedHead) -> SignatureLine:
        """In one write with all others that wait."""
        await self._take_over(signed)
        done: asyncio.Future[SignatureLine] = asyncio.get_running_loop().create_future()
        self._waiting.append((signed, done))
        if self._cosigning is None or self._cosigning.done():
            self._cosigning = asyncio.create_task(self._drain())
        return await asyncio.shield(done)

    async def _take_over(self, signed: SignedHead) -> None:
        """What is cosigned is shown as held, too, so that all others come to hold it."""
        held = self._chain.log_by_origin(signed.head.origin)
        if held.head is None or signed.head.size > held.head.head.size:
            await self._show(signed)

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            heads, time = [signed for signed, _ in batch], int(self._clock.unix())
            lines: Sequence[SignatureLine | Exception]
            try:
                lines = await self._off_loop(self._witness.cosign, heads, time)
            except Exception as error:  # noqa: BLE001 -- handed to everybody who waits, whatever it is
                lines = [error] * len(batch)
            for (_, done), line in zip(batch, lines, strict=True):
                if isinstance(line, Fork):
                    self._freezing.found(line)
                _settle(done, line)

    # -- what others know

    def notes(self) -> list[bytes]:
        """The largest witnessed head of each log, for others; where two conflict both, as not all can tell."""
        pairs = (self._chain.conflicting_witnesses(held.origin) for held in self._chain.logs())
        return list(dict.fromkeys([*self._witnessed.notes(), *(note for pair in pairs if pair for note in pair)]))

    def news(self, caller: str) -> list[bytes]:
        """Of these what a member has not been told lately: all of it now and then, and otherwise heads that are others
        than the last time. Who lives says so itself, to everybody: all that is known to all would be too much."""
        told = self._told_lately(caller)
        notes = {parse_note(note).text: note for note in self.notes()}
        news = [note for text, note in notes.items() if text not in told.heads]
        told.heads = frozenset(notes)
        return news

    def cosigned(self, caller: str) -> list[bytes]:
        """Likewise of what this node has cosigned of logs that are overdue."""
        told = self._told_lately(caller)
        notes = {parse_note(note).text: note for note in self.unasked.notes()}
        news = [note for text, note in notes.items() if text not in told.cosigned]
        told.cosigned = frozenset(notes)
        return news

    def _told_lately(self, caller: str) -> _Told:
        now, told = self._clock.monotonic(), self._told.get(caller)
        if told is None or now - told.since > TELL_AGAIN:
            told = self._told[caller] = _Told(now)
        return told

    async def learn(self, notes: Sequence[bytes]) -> None:
        """Keeps what is new among others' witnessed heads. Raises InvalidInput, Unverified for what is none."""
        if len(notes) > MAX_NOTES:
            raise Unverified("TOO_MANY_HEADS", "a node knows one witnessed head a log")
        for note in notes:
            head = parse_head_text(parse_note(note).text)
            if self._is_news(head):
                await self._learn(note)

    async def _learn(self, note: bytes) -> None:
        signed, manifest, member = await self._off_loop(verify_witnessed_in, note, self._consortium.history)
        await self._show(signed)
        await self._keep(signed, manifest, member)

    async def _keep(self, signed: SignedHead, manifest: Manifest, member: str) -> None:
        """What is witnessed, and has been shown to whom looks for forks."""
        held, before = self._chain.log_by_origin(signed.head.origin), self._witnessed.newest(signed.head.origin)
        try:
            await self._off_loop(self._witnessed.keep, signed, manifest, member)
        except Conflict as conflict:
            await self._show(conflict.known)  # of one size: these two are a fork by themselves
            await self._freezing.in_conflict(conflict)
        if held.origin in self._gossip.problems:
            # The one before is not kept where both are of one hour.
            await self._freezing.look_at(held, signed, *([] if before is None else [before.signed]))

    def _is_news(self, head: Head) -> bool:
        """Whether a head, were it witnessed, would say anything that is not known: a larger one, or another history."""
        try:
            held = self._chain.log_by_origin(head.origin)
        except NotFound:
            return False
        if self._freezing.conflicting(head.origin):
            return False  # it is known already that nobody can say where it counts
        newest = self._witnessed.newest(head.origin)
        if newest is None or head.size > newest.size:
            return True
        if head.size == newest.size:
            return head.root != newest.signed.head.root
        return head.size <= held.size and held.root_at(head.size) != head.root

    async def _show(self, signed: SignedHead) -> None:
        """Its author has signed it: where it is of another history than the one held, that is a fork."""
        held = self._chain.log_by_origin(signed.head.origin)
        if signed.head.size:  # every history begins with nothing
            await self._gossip.look_at(signed.head, bare(signed, held.key).note.encode())

    async def _off_loop(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, partial(work, *args))


def _settle(done: asyncio.Future[SignatureLine], line: SignatureLine | Exception) -> None:
    if done.cancelled():  # the caller has gone
        return
    if isinstance(line, Exception):
        done.set_exception(line)
        done.exception()  # seen, also where nobody waits any more
    else:
        done.set_result(line)
