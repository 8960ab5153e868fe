"""Gossip (design section 3): push of what is new, anti-entropy for what was missed, catch-up of who was away.

Push: one task per peer sends it this node's own log as it grows. Anti-entropy: one task per peer compares heads every
few seconds, pulls what is missing here and pushes what is missing there, which also passes on what a query brought.
Everything is verified before it is stored, a block at a time, so memory is bounded by one block. A peer or log that
cannot be reconciled backs off by itself and holds up nobody else (design section 11, Fabric).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain, Log, Replica
from ledger.errors import PlimsollError, Unavailable, Unverified
from ledger.tlog.checkpoint import Head, open_head, parse_head_text
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import parse_note
from ledger.witnessing.fork import Fork
from node.chain.arrivals import Arrivals
from node.chain.guard import SelfForkGuard
from node.clock import Clock
from node.custody.quorum import ask_quorum
from node.wire.links import Link

if TYPE_CHECKING:
    from node.chain.freezing import Freezing
    from node.chain.witnessing import Witnessing

log = structlog.get_logger()

CALL_TIMEOUT = 10.0
#: Seconds a push waits for more to go with it, and for queries' own requests to bring their tail to custodians; and
#: from one push to the next to the same peer, so that a stream of small appends does not cost each peer a call each.
COALESCE, GAP = 0.010, 0.100
#: Seconds between comparisons for as long as this node may not sign.
EAGER = 0.25
BACKOFF_FIRST, BACKOFF_LAST = 0.2, 30.0
#: Seconds after which a log that is passed on is offered to one more peer.
OFFER_PATIENCE = 0.100
#: Blocks that are offered to a peer that lacks earlier entries, before it is left to anti-entropy.
MAX_OFFERS = 4
#: Entries that may be hashed without a thread.
SMALL = 64
#: Peers with which heads are compared within one interval.
COMPARED = 8
#: Heads a peer may show: more than any consortium has logs.
MAX_HEADS = 1024


@dataclass
class _Peer:
    """What is known of one peer's replicas, and what is to be sent to it."""

    link: Link
    sizes: dict[str, int] = field(default_factory=dict)
    agreed: dict[str, int] = field(default_factory=dict)  # up to where its logs are known to be those held here
    dirty: dict[str, None] = field(default_factory=dict)  # origins, in the order in which they came up
    pushed: float = 0.0
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    backoff: dict[str, tuple[float, float]] = field(default_factory=dict)  # origin: (not before, last delay)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Gossip:
    """Keeps this node's replicas and its peers' in step. Runs until cancelled."""

    def __init__(
        self,
        chain: Chain,
        member: str,
        links: Iterable[Link],
        arrivals: Arrivals,
        guard: SelfForkGuard,
        executor: Executor,
        interval: float,
        clock: Clock | None = None,
    ) -> None:
        self._chain = chain
        self._guard = guard
        self._member = member
        self._peers = {link.member: _Peer(link) for link in links}
        self._arrivals = arrivals
        self._executor = executor
        self._interval = interval
        self._clock = clock or Clock()
        self._locks: dict[str, asyncio.Lock] = {}
        self._group: asyncio.TaskGroup | None = None
        #: Origins that are being caught up with: from one peer at a time, as several would send the same entries.
        self._pulled: set[str] = set()
        #: Set once they are there: they need the gossip themselves.
        self.freezing: Freezing | None = None
        self.witnessing: Witnessing | None = None
        #: Told of the manifest that a peer has in force, and of its number.
        self.on_manifest: Callable[[Link, bytes, int], object] = lambda link, manifest, sequence: None
        #: By origin: why nothing more is taken of that log.
        self.problems: dict[str, str] = {}
        #: By origin: the largest size any peer told of.
        self.known_sizes: dict[str, int] = {}

    async def run(self) -> None:
        """All tasks of the gossip."""
        async with asyncio.TaskGroup() as self._group:
            for peer in self._peers.values():
                self._start(peer)
            await asyncio.Event().wait()

    def follow(self, links: Iterable[Link], interval: float) -> None:
        """From now on these are the peers, of which some may be new or have new links; `interval` as at the start."""
        self._interval = interval
        now = {link.member: link for link in links}
        for member, peer in list(self._peers.items()):
            if now.get(member) is not peer.link:
                for task in peer.tasks:
                    task.cancel()
                del self._peers[member]
        for member, link in now.items():
            if member not in self._peers:
                self._peers[member] = _Peer(link)
                self._start(self._peers[member])

    def _start(self, peer: _Peer) -> None:
        if self._group is not None:
            loops = (self._push_loop(peer), self._compare_loop(peer))
            peer.tasks = [self._group.create_task(loop) for loop in loops]

    def grown(self, origin: str) -> None:
        """This node's own log, or one that must be passed on, has new entries."""
        for peer in self._peers.values():
            if self._author(origin) != peer.link.member:
                peer.dirty[origin] = None
                peer.wake.set()

    @contextmanager
    def bringing(self, member: str, origin: str, size: int) -> Iterator[None]:
        """Around a request that brings a peer so much of this node's own log, or has it fetch that: what it has need
        not be pushed. Where the request fails it is pushed after all."""
        peer = self._peers.get(member)
        before = 0 if peer is None else peer.sizes.get(origin, 0)
        if peer is None or before >= size:
            yield
            return
        peer.sizes[origin] = size
        try:
            yield
        except BaseException:  # a request that was given up may not have arrived either
            peer.sizes[origin] = min(before, peer.sizes[origin])
            peer.dirty[origin] = None
            peer.wake.set()
            raise

    def check_one_history(self, member: str) -> None:
        """Raises Unverified (FORK) where the member is known to have signed two histories of its log: quotas and the
        release rule are counted from logs, so whoever has two has twice as much."""
        problem = self.problems.get(self._chain.log(member).origin)
        if problem is not None:
            raise Unverified("FORK", problem)

    async def look_at(self, head: Head, note: bytes) -> None:
        """Notes a fork where its author has signed this head, and it is of another history than the one held."""
        with suppress(PlimsollError):
            await self.take(peer_pb2.Block(origin=head.origin, start=head.size, head=note))

    async def pass_on(
        self, member: str, index: int, among: Sequence[str], enough: int, limit: float, block: peer_pb2.Block | None
    ) -> bool:
        """Has `enough` of these members hold a log up to the entry at `index`, as far as it is held here and they can
        be reached within `limit` seconds; whether they do. A fork that one of them shows is noted.

        block: the one that has brought the entry, if any, which need not be made anew then. What a member holds it must
        have told itself.
        """
        held = self._chain.log(member)
        if block is not None and not (_has(block, index) and _is_held(held, block)):
            block = None
        there = [name for name in among if name in self._peers and self._peers[name].link.reachable]
        # Those that have said so already, by a push of their own for instance, cost nothing.
        there.sort(key=lambda name: self._peers[name].agreed.get(held.origin, 0) <= index)

        async def offer(name: str) -> bool:
            return name in self._peers and await self._offer(self._peers[name], held, index, limit, block)

        try:
            async with asyncio.timeout(limit):
                await ask_quorum(there, min(enough, len(there)), offer, OFFER_PATIENCE)
        except (PlimsollError, TimeoutError) as error:
            log.debug("not passed on to enough", log=member, why=str(error))
            return False
        return True

    async def _offer(
        self, peer: _Peer, held: Log, index: int, limit: float, block: peer_pb2.Block | None = None
    ) -> bool:
        """Whether the peer holds this entry of this history then; one that is far behind does not."""
        start = index
        for _ in range(MAX_OFFERS):
            if peer.agreed.get(held.origin, 0) > index:
                return True
            if block is None:
                block = await asyncio.to_thread(next, blocks_from(held, start), None)
            if block is None:
                return False
            try:
                size = await peer.link.push(block, limit)
            except Unavailable:
                raise
            except PlimsollError:
                # Whether it has another history than this one, or only says so.
                await self._compare(peer)
                if held.origin not in self.problems:
                    await self._find_fork(peer, held.origin)
                raise
            _agree(peer, block, size)
            start, block = min(size, index), None
        return False

    async def pushed(self, member: str, block: peer_pb2.Block) -> int:
        """Takes a block that a member's node pushes, which therefore holds it; as `take`."""
        size = await self.take(block)
        if member in self._peers:
            _agree(self._peers[member], block, size)
        return size

    async def take(self, block: peer_pb2.Block) -> int:
        """Verifies and stores a block; the replica's size then. Durable when it returns.

        Raises InvalidInput or Unverified for a bad block. One that starts beyond what is held stores nothing.
        """
        replica = self._chain.log_by_origin(block.origin)
        if self.freezing is not None:
            self.freezing.check_wanted(replica)
        if block.start > replica.size:
            return replica.size
        lock = self._locks.setdefault(block.origin, asyncio.Lock())
        async with lock:
            if _is_held(replica, block):
                return replica.size
            loop = asyncio.get_running_loop()
            try:
                size = await loop.run_in_executor(self._executor, Replica(replica).apply, block)
            except Fork as error:
                if self.freezing is not None:
                    self.freezing.found(error)
                self.problems.setdefault(block.origin, error.message)
                log.error("fork", origin=block.origin, why=error.message)
                raise
        # What cannot be shown to others yet counts for nothing: an author must not be able to split members by it.
        self._arrivals.note(replica.origin, replica.covered, self._clock.monotonic())
        return size

    async def fetch(self, origin: str, size: int, hints: Iterable[str], timeout: float) -> None:
        """Makes a replica reach `size`, asking `hints` and its author first. Raises NotFound, Unavailable."""
        replica = self._chain.log_by_origin(origin)
        order = [name for name in dict.fromkeys([*hints, replica.member, *self._peers]) if name in self._peers]
        deadline = self._clock.monotonic() + timeout
        for name in order:
            if replica.size >= size or self._clock.monotonic() > deadline:
                break
            peer = self._peers.get(name)
            if peer is None:  # it has left the consortium meanwhile
                continue
            try:
                async with asyncio.timeout(deadline - self._clock.monotonic()):
                    await self._pull(peer, replica.origin)
            except (PlimsollError, TimeoutError) as error:
                log.info("fetch failed", peer=name, log=origin, why=str(error))
        if replica.size < size:
            raise Unavailable("LACKING", f"entries of {replica.member}'s log could not be fetched in time")

    # -- push

    async def _push_loop(self, peer: _Peer) -> None:
        delay = BACKOFF_FIRST
        peer.dirty[self._own] = None
        while True:
            if not peer.dirty:
                peer.wake.clear()
                await peer.wake.wait()
            await asyncio.sleep(max(COALESCE, peer.pushed + GAP - self._clock.monotonic()))
            origin = next(iter(peer.dirty))  # the one that has waited longest
            del peer.dirty[origin]
            peer.pushed = self._clock.monotonic()
            try:
                await self._push(peer, origin)
                delay = BACKOFF_FIRST
            except Exception as error:  # noqa: BLE001 -- see _note
                _note("push failed", peer, error)
                if not isinstance(error, Unavailable):
                    continue  # it refuses this log, and must not hold up the others; it is compared again soon
                peer.dirty[origin] = None
                await asyncio.sleep(self._clock.jittered(delay))
                delay = min(delay * 2, self._interval * 2)

    async def _push(self, peer: _Peer, origin: str) -> None:
        held = self._chain.log_by_origin(origin)
        went_back = False
        while (start := peer.sizes.get(origin, 0)) < held.size:
            block = next(iter(blocks_from(held, start)), None)
            if block is None:  # entries beyond the newest complete head: nothing that could be verified yet
                return
            size = await peer.link.push(block, CALL_TIMEOUT)
            if size == start or (size < start and went_back):
                return  # it takes no more of this log; anti-entropy finds out why
            went_back = went_back or size < start
            peer.sizes[origin] = size

    # -- anti-entropy

    async def _compare_loop(self, peer: _Peer) -> None:
        while True:
            try:
                await self._compare(peer)
            except Exception as error:  # noqa: BLE001 -- see _note
                _note("comparing failed", peer, error)
            # In a large consortium with each peer more rarely: there is always another one that is due.
            interval = self._interval * max(1.0, len(self._peers) / COMPARED) if self._guard.is_open else EAGER
            await asyncio.sleep(self._clock.jittered(interval))

    async def _compare(self, peer: _Peer) -> None:
        """Exchanges heads with one peer; pulls what it has more of, marks for pushing what it has less of."""
        shown = await peer.link.heads(CALL_TIMEOUT)
        self.on_manifest(peer.link, shown.manifest, shown.sequence)
        theirs = _claims(shown.heads)
        for held in self._chain.logs():
            if self.freezing is not None and not self.freezing.wants(held):
                continue
            size = await self._hear(held, theirs.get(held.origin))
            peer.sizes[held.origin] = size
            self.known_sizes[held.origin] = max(size, self.known_sizes.get(held.origin, 0))
            if size > held.size:
                if held.origin == self._own:
                    self._guard.bind(size)
                await self._reconcile(peer, held.origin)
            elif size < held.size and held.member != peer.link.member:
                peer.dirty[held.origin] = None
                peer.wake.set()
            if held.size < size:
                continue
            if self.witnessing is not None:
                self.witnessing.compared(held.origin, peer.link.member)
            if held.origin == self._own:
                self._guard.hear(peer.link.member, held.size)
        if self.witnessing is not None:
            await self.witnessing.learn(shown.witnessed)
            await self.witnessing.unasked.learn(peer.link.member, shown.cosigned)

    async def compare(self, member: str) -> None:
        """Compares with one member at once, where it is known to be ahead; it is left at that where this fails."""
        if member in self._peers:
            try:
                await self._compare(self._peers[member])
            except Exception as error:  # noqa: BLE001 -- see _note
                _note("comparing failed", self._peers[member], error)

    async def _hear(self, held: Log, claim: _Claim | None) -> int:
        """The size of a log at a peer: of a head that its author signed. A head of another history is a fork; one that
        completes what is held here is taken over."""
        if claim is None:
            return 0
        size = claim.head.size
        if size > held.size:
            open_head(claim.note, held.key)
        elif size > held.covered or held.root_at(size) != claim.head.root:
            with suppress(Fork):  # noted there; what else is to be compared goes on
                await self.take(peer_pb2.Block(origin=held.origin, start=size, head=claim.note))
        return size

    async def _reconcile(self, peer: _Peer, origin: str) -> None:
        not_before, delay = peer.backoff.get(origin, (0.0, BACKOFF_FIRST))
        if origin in self._pulled or self._clock.monotonic() < not_before:
            return
        self._pulled.add(origin)
        try:
            try:
                await self._pull(peer, origin)
            except Unverified as error:
                if error.reason == "ROOT_MISMATCH":
                    await self._find_fork(peer, origin)
                raise
            peer.backoff.pop(origin, None)
        except PlimsollError as error:
            delay = min(delay * 2, BACKOFF_LAST)
            peer.backoff[origin] = (self._clock.monotonic() + delay, delay)
            log.info("pull failed", peer=peer.link.member, origin=origin, why=str(error), retry_in=round(delay, 1))
        finally:
            self._pulled.discard(origin)

    async def _pull(self, peer: _Peer, origin: str) -> None:
        held = self._chain.log_by_origin(origin)
        async with aclosing(peer.link.pull(origin, held.size, CALL_TIMEOUT)) as blocks:
            async for block in blocks:
                if block.origin != origin:
                    raise Unverified("OTHER_LOG", f"{peer.link.member} sent entries of another log")
                before = held.size
                if await self.take(block) > before:
                    continue
                if block.start + len(block.entries) > before:
                    raise Unverified("GAP", f"{peer.link.member} left out entries")
                return  # held already: somebody else was quicker, or the peer wastes our time

    async def _find_fork(self, peer: _Peer, origin: str) -> None:
        """Looks, by halves, for the block in which a peer's history of a log parts from the one held here.

        Raises Fork where the author has signed both; returns where the peer alone is to blame.
        """
        same, parted = 0, self._chain.log_by_origin(origin).size
        while same < parted:
            start = (same + parted) // 2
            async with aclosing(peer.link.pull(origin, start, CALL_TIMEOUT)) as blocks:
                block = await anext(blocks, None)
            if block is None or block.origin != origin or block.start != start or not block.entries:
                return
            try:
                await self.take(block)
                same = start + len(block.entries)
            except Fork:
                raise
            except Unverified:  # what comes before the block is another's already
                parted = start

    @property
    def _own(self) -> str:
        """The log that this node writes."""
        return self._chain.log(self._member).origin

    def _author(self, origin: str) -> str:
        return self._chain.log_by_origin(origin).member


def _agree(peer: _Peer, block: peer_pb2.Block, size: int) -> None:
    """A block has been verified by one side against the log of `size` entries that it holds then, and is held by the
    other. Where it begins beyond those it has not been looked at."""
    end = block.start + len(block.entries)
    if block.start <= size:
        peer.agreed[block.origin] = max(min(size, end), peer.agreed.get(block.origin, 0))


def _has(block: peer_pb2.Block, index: int) -> bool:
    return block.start <= index < block.start + len(block.entries)


def _is_held(held: Log, block: peer_pb2.Block) -> bool:
    """Whether a small block has but what is held already, under this very head: nothing is left to verify or store."""
    head, count = held.head, len(block.entries)
    if block.origin != held.origin or count > SMALL or head is None or block.head != head.note.encode():
        return False
    if block.start + count > head.head.size:
        return False
    return all(leaf_hash(entry) == held.leaf_hash(block.start + place) for place, entry in enumerate(block.entries))


@dataclass(frozen=True)
class _Claim:
    """What a head says, unverified."""

    head: Head
    note: bytes


def _claims(heads: Sequence[bytes]) -> dict[str, _Claim]:
    """By origin."""
    if len(heads) > MAX_HEADS:
        raise Unverified("TOO_MANY_HEADS", "a node has one head a log")
    claims = [_Claim(parse_head_text(parse_note(raw).text), raw) for raw in heads]
    return {claim.head.origin: claim for claim in claims}


def _note(what: str, peer: _Peer, error: Exception) -> None:
    """Of a loop that must go on: were it to end by one peer's doing, the whole node would."""
    if isinstance(error, PlimsollError):
        log.debug(what, peer=peer.link.member, why=str(error))
    else:
        log.error(what, peer=peer.link.member, exc_info=error)
