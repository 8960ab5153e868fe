"""Forked logs (design section 4, protocol section 18): frozen on proof, published, and told to the operator.

Whoever finds a fork keeps the evidence, which freezes the log, and then appends it to its own log, so that everybody
reads it there and freezes the log too. Nobody chooses a side.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

import structlog
from plimsoll.v1 import entry_pb2

from ledger.chain.chain import Chain, Log
from ledger.chain.entries import Kind, parse_entry
from ledger.consortium.ended import EndedLog
from ledger.consortium.manifest import Manifest
from ledger.errors import PlimsollError, Unverified
from ledger.tlog.checkpoint import SignedHead
from ledger.witnessing.cosigned import double_cosigners, open_cosigned, seats
from ledger.witnessing.evidence import Evidence, evidence_of, read_evidence, verify_evidence
from ledger.witnessing.fork import Fork
from ledger.witnessing.witnessed import Conflict, Witnessed
from node.chain.committer import Committer
from node.clock import Clock
from node.consortium import Consortium

T = TypeVar("T")
log = structlog.get_logger()

#: Seconds after which publishing is tried again, where the disk is full, say.
AGAIN = 10.0


class Freezing:
    """Runs until cancelled."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        witnessed: Witnessed,
        problems: dict[str, str],
        committer: Committer,
        executor: Executor,
        clock: Clock | None = None,
    ) -> None:
        """problems: by origin, why nothing more is taken of a log (node.chain.gossip)."""
        self._consortium = consortium
        self._chain = chain
        self._witnessed = witnessed
        self._problems = problems
        self._committer = committer
        self._executor = executor
        self._clock = clock or Clock()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._forks: deque[Fork] = deque()
        self._grown: dict[str, None] = {}
        self._read_to: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        #: By origin of a forked log, the logs that have the evidence.
        self._told: defaultdict[str, set[str]] = defaultdict(set)
        self._double: dict[str, tuple[str, ...]] = {}
        self._to_publish = asyncio.Event()
        self._has_read_all = False
        for origin in chain.freezer.origins:
            problems[origin] = self._why(origin)
        chain.listen(self._committed)

    # -- what others of this node's parts say and ask

    def found(self, fork: Fork) -> None:
        """The author has signed two histories. From the event loop."""
        origin = fork.known.head.origin
        if not self._chain.frozen(origin):
            self._problems.setdefault(origin, fork.message)
            self._forks.append(fork)
            self._news.set()

    def frozen(self, origin: str) -> bool:
        """See ledger.queries.freezing."""
        return self._chain.frozen(origin)

    def conflicting(self, origin: str) -> bool:
        """See ledger.queries.freezing."""
        return self._chain.conflicting_witnesses(origin) is not None

    def witnessed(self, origin: str) -> bytes:
        """See ledger.queries.freezing."""
        newest = self._witnessed.newest(origin)
        return b"" if newest is None else newest.signed.note.encode()

    def wants(self, held: Log) -> bool:
        """Whether more of a log is taken: of a frozen one no more than up to its last witnessed head, or to its end."""
        if not self._chain.frozen(held.origin):
            return True
        ended = ended_log(self._consortium.manifest, held.origin)
        return held.size < max(self._witnessed.size(held.origin), 0 if ended is None else ended.size)

    def check_wanted(self, held: Log) -> None:
        """Raises Unverified (FORK) where nothing more is taken of a log: it is frozen, and held as far as it counts."""
        if not self.wants(held):
            raise Unverified("FORK", self._why(held.origin))

    def alerts(self) -> list[str]:
        """What a person should look at, beyond the problems of each log."""
        alerts = []
        for origin in (held.origin for held in self._chain.logs()):
            if self._chain.conflicting_witnesses(origin) is not None:
                both = ", ".join(self._cosigned_both(origin)) or "nobody known"
                alerts.append(f"{origin}: two conflicting heads have been witnessed; cosigned by both: {both}")
            if is_astray(self._chain, self._witnessed, origin, self._consortium.manifest):
                alerts.append(f"{origin}: this node holds another history than the one that counts: restart it")
        return alerts

    # -- the work

    async def run(self) -> None:
        """Reads the evidence that logs hold, for ever."""
        self._grown.update(dict.fromkeys(held.origin for held in self._chain.logs()))
        self._news.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._publish_all())
            group.create_task(self._work_on())

    async def _work_on(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._work()
            except PlimsollError as error:  # a full disk, say; what was not done yet is still there
                log.warning("not frozen yet", why=str(error))
                await asyncio.sleep(AGAIN)
                self._news.set()

    async def _work(self) -> None:
        while self._forks:
            await self._settle(self._forks[0])
            self._forks.popleft()
        while self._grown:
            origin = next(iter(self._grown))
            del self._grown[origin]  # before it is read: it may grow meanwhile
            try:
                await self._read(self._chain.log_by_origin(origin))
            except PlimsollError:
                self._grown[origin] = None
                raise
        if not self._has_read_all:  # now it is known what is published already
            self._has_read_all = True
            self._to_publish.set()
            for held in self._frozen():
                await self.look_at(held)

    async def _settle(self, fork: Fork) -> None:
        held = self._chain.log_by_origin(fork.known.head.origin)
        evidence = await self._off_loop(evidence_of, fork, held.key)
        if evidence is None:  # who holds the larger tree will see this node's head, and show it
            log.error("fork without proof yet", origin=held.origin, why=fork.message)
        else:
            await self._freeze(evidence)

    async def _freeze(self, evidence: Evidence) -> None:
        origin = evidence.origin
        self._problems.setdefault(origin, self._why(origin))
        if await self._off_loop(self._chain.freezer.freeze, origin, evidence.encode()):
            self._problems[origin] = self._why(origin)
            log.error("frozen", origin=origin, counts_at=self._witnessed.size(origin))
            if self._has_read_all:
                self._to_publish.set()
            await self.look_at(self._chain.log_by_origin(origin))

    async def look_at(self, held: Log, *others: SignedHead) -> None:
        """Whether witnessed heads of a forked log conflict; others: that are known beside those kept."""
        conflict = await self._off_loop(self._witnessed.conflict, held, *others)
        if conflict is not None:
            await self.in_conflict(conflict)

    async def in_conflict(self, conflict: Conflict) -> None:
        """Two heads have been witnessed: the author has had helpers, and no size is the one that counts."""
        origin = conflict.known.head.origin
        known, other = conflict.known.note.encode(), conflict.other.note.encode()
        if await self._off_loop(self._chain.freezer.keep_conflict, origin, known, other):
            log.error("conflicting witnesses", origin=origin, cosigned_both=self._cosigned_both(origin))

    async def _read(self, held: Log) -> None:
        """Freezes what new entries of this log show to be forked."""
        size = held.size
        entries: list[tuple[int, bytes]] = await self._off_loop(
            list, held.entries_by_kind(Kind.EVIDENCE, self._read_to.get(held.origin, 0), size)
        )
        for index, raw in entries:
            await self._judge(held, index, raw)
        self._read_to[held.origin] = size

    async def _judge(self, held: Log, index: int, raw: bytes) -> None:
        origin = parse_entry(raw).evidence.origin
        if held.origin in self._told.get(origin, ()):
            return
        try:
            evidence = await self._off_loop(read_evidence, raw, self._chain.log_by_origin(origin).key)
        except PlimsollError as error:  # whoever published that has proved nothing
            log.warning("no evidence", author=held.member, index=index, why=str(error))
            return
        self._told[origin].add(held.origin)  # before it is frozen: what stands in a log need not be published again
        try:
            await self._freeze(evidence)
        except PlimsollError:
            self._told[origin].discard(held.origin)
            raise

    async def _publish_all(self) -> None:
        """Appends what no log has yet; for ever, as a node may have crashed between keeping and publishing."""
        await self._committer.opened()
        while True:
            await self._to_publish.wait()
            self._to_publish.clear()
            try:
                for held in self._frozen():
                    await self._publish(held)
            except PlimsollError as error:
                log.warning("evidence not published yet", why=str(error))
                await asyncio.sleep(AGAIN)
                self._to_publish.set()

    async def _publish(self, frozen: Log) -> None:
        own, raw = self._chain.log(self._consortium.member), self._chain.evidence(frozen.origin)
        if self._is_told(frozen.origin) or raw is None or own.origin in self._problems:
            return
        evidence = verify_evidence(entry_pb2.Evidence.FromString(raw), frozen.key)
        self._told[frozen.origin].add(own.origin)
        try:
            await self._committer.append([evidence.entry(int(self._clock.unix()))])
        except PlimsollError:
            self._told[frozen.origin].discard(own.origin)
            raise

    def _is_told(self, origin: str) -> bool:
        """Whether everybody will read of it. What a frozen log has is not passed on: its author, who may have shown it
        to one node only, would have that node alone know, and disagree with all others for ever."""
        return any(not self._chain.frozen(held) for held in self._told.get(origin, ()))

    def _frozen(self) -> list[Log]:
        return [held for held in self._chain.logs() if self._chain.frozen(held.origin)]

    def _committed(self, held: Log, _: int) -> None:
        """After every commit, in whatever thread: looks at nothing but a count in memory."""
        count = held.counts.get(Kind.EVIDENCE, 0)
        if count != self._counts[held.origin]:
            self._counts[held.origin] = count
            self._loop.call_soon_threadsafe(self._has_grown, held.origin)

    def _has_grown(self, origin: str) -> None:
        self._grown[origin] = None
        self._news.set()

    def _why(self, origin: str) -> str:
        size = self._witnessed.size(origin)
        return f"its author has signed two histories: frozen, it counts at its last witnessed size, {size}"

    def _cosigned_both(self, origin: str) -> tuple[str, ...]:
        """Members that have cosigned two conflicting heads, the author among them."""
        if origin not in self._double:
            self._double[origin] = self._find_double(origin)
        return self._double[origin]

    def _find_double(self, origin: str) -> tuple[str, ...]:
        pair = self._chain.conflicting_witnesses(origin)
        if pair is None:
            return ()
        for manifest, member in seats(self._consortium.history, origin):
            one, other = (open_cosigned(note, manifest, member) for note in pair)
            found = double_cosigners(one, other, manifest)
            if found:
                return found
        return ()

    async def _off_loop(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, partial(work, *args))


def ended_log(manifest: Manifest, origin: str) -> EndedLog | None:
    """What a manifest says of a log that nobody writes any more."""
    return next((log for log in manifest.ended if log.origin(manifest.consortium.hex()) == origin), None)


def is_astray(chain: Chain, witnessed: Witnessed, origin: str, manifest: Manifest | None = None) -> bool:
    """Whether the replica of a log is of another history than the one that counts.

    That is of a log that has ended what the manifest says, whatever was witnessed since; of a frozen one its last
    witnessed head, if no two conflict.
    """
    held = chain.log_by_origin(origin)
    ended = None if manifest is None else ended_log(manifest, origin)
    if ended is not None:
        return held.size >= ended.size > 0 and held.root_at(ended.size) != ended.root
    newest = witnessed.newest(origin)
    if newest is None or not chain.frozen(origin) or chain.conflicting_witnesses(origin) is not None:
        return False
    return newest.size <= held.size and held.root_at(newest.size) != newest.signed.head.root


def heal_witnessed(chain: Chain, witnessed: Witnessed) -> None:
    """Throws away newest witnessed heads that have rotted, so that a node can start; others show them again."""
    for held in chain.logs():
        error = witnessed.heal(held.origin)
        if error is not None:
            log.error("a witnessed head is damaged and will be asked for again", origin=held.origin, why=str(error))


def set_strays_aside(chain: Chain, witnessed: Witnessed, manifest: Manifest | None = None) -> None:
    """At the node's start: replicas that are of another history than the one that counts are begun anew, to be fetched
    from who holds that one. What was held stays in the store."""
    for held in [held for held in chain.logs() if is_astray(chain, witnessed, held.origin, manifest)]:
        log.error("another history than the one that counts was held", origin=held.origin, size=held.size)
        newest = witnessed.newest(held.origin)
        has_ended = manifest is not None and ended_log(manifest, held.origin) is not None
        chain.set_aside(held.origin, None if newest is None or has_ended else newest.signed)
