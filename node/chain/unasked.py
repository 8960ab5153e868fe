"""Logs whose authors show no witnessed head of what they publish (protocol section 18, "Overdue").

Only its author collects the cosignatures of a log, and may keep them to itself, or ask nobody. Then the members show
each other what they have cosigned of it, and cosign it unasked, in turns, so that they come to the same head.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from ledger.chain.chain import Chain, Log
from ledger.consortium.manifest import Manifest
from ledger.errors import PlimsollError, Unverified
from ledger.tlog.checkpoint import Head, SignedHead, parse_head_text
from ledger.tlog.note import SignatureLine, parse_note
from ledger.witnessing import turns
from ledger.witnessing.shown import Shown, opened_shown, shown_by
from ledger.witnessing.turns import Turn
from ledger.witnessing.witness import Witness
from ledger.witnessing.witnessed import Witnessed
from node.clock import Clock
from node.consortium import Consortium

log = structlog.get_logger()

#: Of a quarter of a turn, and seconds at most, from one look at all logs to the next.
LOOKS, LOOK = 8, 5.0
#: Heads a peer may show: more than any consortium has logs.
MAX_SHOWN = 1024


@dataclass(frozen=True)
class _Mark:
    """So much of a log was held at a time, on the monotonic clock, and is not witnessed yet."""

    size: int
    since: float


@dataclass(frozen=True)
class Doing:
    """What else it takes, done by node.chain.witnessing. All from the event loop.

    may_cosign(origin); cosign(head): compares and persists first, raises PlimsollError; off_loop(work, ..): elsewhere;
    is_news(head): whether it would say anything, were it witnessed; show(head): to what looks for forks; keep(head,
    manifest, author): one that is witnessed.
    """

    may_cosign: Callable[[str], bool]
    cosign: Callable[[SignedHead], Awaitable[SignatureLine]]
    off_loop: Callable[..., Awaitable[SignedHead]]
    is_news: Callable[[Head], bool]
    show: Callable[[SignedHead], Awaitable[None]]
    keep: Callable[[SignedHead, Manifest, str], Awaitable[None]]


class Unasked:
    """Runs until cancelled. From the event loop only."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        witness: Witness,
        witnessed: Witnessed,
        problems: dict[str, str],
        doing: Doing,
        clock: Clock,
    ) -> None:
        """problems: by origin, why nothing more is taken of a log (node.chain.gossip)."""
        self._consortium = consortium
        self._member = consortium.member
        self._chain = chain
        self._witness = witness
        self._witnessed = witnessed
        self._problems = problems
        self._doing = doing
        self._clock = clock
        self._manifest = consortium.manifest
        self._shown = Shown(self._manifest)
        self._marks: dict[str, _Mark] = {}
        #: By origin: the turn in which this node has spoken last.
        self._spoken: dict[str, int] = {}

    # -- what the rest of the node asks

    def overdue(self, origin: str) -> bool:
        """Whether what was held of this log a while ago is not known to be witnessed."""
        return self._waits(origin) > turns.overdue_seconds(self._manifest.policy)

    def holds_off(self, head: Head) -> bool:
        """Whether this head is not to be cosigned now, as its author asks. Raises Unverified."""
        if not self.overdue(head.origin) or self._turn().quarter == turns.ASKED:
            return False
        last = self._witness.last(head.origin)
        return last is None or last.head != head

    def cosigned(self, author: str, signed: SignedHead, line: SignatureLine) -> None:
        """This node has cosigned that head."""
        if self._shown.is_news(author, self._member, signed.head):
            mine = shown_by(signed, line, self._manifest, author, self._member)
            self._shown.add(author, self._member, mine)

    def notes(self) -> list[bytes]:
        """What this node has cosigned last of logs that are overdue, or frozen, for others."""
        mine = ((held, self._shown.by(author, self._member)) for author, held in self._others())
        return [
            signed.note.encode()
            for held, signed in mine
            if signed is not None
            and signed.head.size > self._witnessed.size(held.origin)
            and (held.origin in self._problems or self.overdue(held.origin))
        ]

    def alerts(self) -> list[str]:
        """What a person should look at."""
        manifest = self._manifest
        limit = turns.alert_seconds(manifest.policy, len(manifest.members))
        return [
            f"{held.origin}: grows, and has had no head witnessed for {int(self._waits(held.origin)) // 60} minutes"
            for _, held in self._all()
            if self._waits(held.origin) > limit
        ]

    # -- what others show

    async def learn(self, member: str, notes: Sequence[bytes]) -> None:
        """Adds up what this member has cosigned. Raises InvalidInput, Unverified, Refused for what it has not."""
        self._follow()
        if len(notes) > MAX_SHOWN:
            raise Unverified("TOO_MANY_HEADS", "a member has cosigned one head a log last")
        manifest = self._manifest
        authors = {manifest.origin(each.name): each.name for each in manifest.members}
        for note in notes:
            head = parse_head_text(parse_note(note).text)
            author = authors.get(head.origin)
            if author is None or member not in manifest or not self._doing.is_news(head):
                continue
            if self._shown.is_news(author, member, head):
                signed = await self._doing.off_loop(opened_shown, note, manifest, author, member)
                await self._doing.show(signed)
                await self._add(author, member, signed)

    async def _add(self, author: str, member: str, signed: SignedHead) -> None:
        if signed.head.size <= self._witnessed.size(signed.head.origin):
            return
        together = self._shown.add(author, member, signed)
        if self._shown.is_witnessed(author, together):
            await self._doing.keep(together, self._manifest, author)
            self._shown.forget(author, self._witnessed.size(signed.head.origin))

    # -- the work

    async def run(self) -> None:
        """One look after the other."""
        while True:
            try:
                await self.look()
            except PlimsollError as error:
                log.warning("nothing is cosigned unasked", why=str(error))
            except Exception as error:
                log.error("nothing is cosigned unasked", exc_info=error)
            manifest = self._manifest
            quarter = turns.quarter_seconds(manifest.policy, len(manifest.members))
            await asyncio.sleep(min(LOOK, quarter / LOOKS))

    async def look(self) -> None:
        """At all logs, once."""
        self._follow()
        for author, held in self._all():
            self._shown.forget(author, self._witnessed.size(held.origin))
            self._mark(held)
        turn = self._turn()
        due = [self._due(author, held, turn) for author, held in self._others()]
        async with asyncio.TaskGroup() as group:  # at once, as they then share one write
            for author, signed in (one for one in due if one is not None):
                group.create_task(self._cosign(author, signed))

    def _mark(self, held: Log) -> None:
        size, witnessed = _size(held), self._witnessed.size(held.origin)
        mark = self._marks.get(held.origin)
        if mark is not None and mark.size <= witnessed:
            del self._marks[held.origin]
        if size > witnessed and held.origin not in self._marks:
            self._marks[held.origin] = _Mark(size, self._clock.monotonic())

    def _due(self, author: str, held: Log, turn: Turn) -> tuple[str, SignedHead] | None:
        """The head that this node cosigns now of its own accord, if any."""
        if not self.overdue(held.origin) or not self._doing.may_cosign(held.origin):
            return None
        mine, signed = self._shown.by(author, self._member), self._said(author, held, turn)
        if mine is None and signed is None:  # since the start; others may need to see what it had cosigned before
            signed = self._witness.last(held.origin)
        if signed is None or not self._witnessed.size(held.origin) < signed.head.size <= held.size:
            return None
        return None if mine is not None and signed.head.size <= mine.head.size else (author, signed)

    def _said(self, author: str, held: Log, turn: Turn) -> SignedHead | None:
        """What is to be cosigned in this turn."""
        who = turns.speaker(self._manifest, author, turn.number)
        if who == self._member:
            if turn.quarter != turns.SPEAK or self._spoken.get(held.origin) == turn.number:
                return None
            self._spoken[held.origin] = turn.number
            return held.head
        return self._shown.by(author, who) if turn.quarter in (turns.SPEAK, turns.FOLLOW) else None

    async def _cosign(self, author: str, signed: SignedHead) -> None:
        try:
            line = await self._doing.cosign(signed)
            self.cosigned(author, signed, line)
            await self._add(author, self._member, self._shown.by(author, self._member) or signed)
            log.info("cosigned unasked", origin=signed.head.origin, size=signed.head.size)
        except PlimsollError as error:
            log.info("not cosigned", origin=signed.head.origin, why=str(error))

    def _follow(self) -> None:
        """A successor may be in force since: who cosigns then has other keys, perhaps."""
        if self._manifest is not self._consortium.manifest:
            self._manifest = self._consortium.manifest
            self._shown = Shown(self._manifest)

    def _turn(self) -> Turn:
        return turns.turn_at(self._clock.unix(), self._manifest)

    def _waits(self, origin: str) -> float:
        """Seconds since so much of this log was held as is not witnessed yet; 0.0 where nobody has to wait for more."""
        mark = self._marks.get(origin)
        if mark is None or origin in self._problems or mark.size <= self._witnessed.size(origin):
            return 0.0
        return self._clock.monotonic() - mark.since

    def _all(self) -> Iterator[tuple[str, Log]]:
        """By author: the logs in force that are held."""
        for member in self._manifest.members:
            held = self._chain.log(member.name)
            if held.origin == self._manifest.origin(member.name):
                yield member.name, held

    def _others(self) -> Iterator[tuple[str, Log]]:
        return ((author, held) for author, held in self._all() if author != self._member)


def _size(held: Log) -> int:
    """Of the largest head whose tree is held."""
    return 0 if held.head is None else held.head.head.size
