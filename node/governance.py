"""How the consortium changes itself, seen from one node (design section 7; protocol section 14).

It follows the logs: what is proposed to succeed the manifest in force, and who approves it. Once enough do, the
successor is made durable in the home, with the approvals that show it, and only then is it in force here. For its own
member it proposes and approves, and never approves two successors of one manifest: that would be fraud.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

import structlog

from ledger.chain.chain import Chain
from ledger.consortium.ballot import Vote, approval_entry, proposal_entry
from ledger.consortium.ended import EndedLog
from ledger.consortium.history import History
from ledger.consortium.lineage import Lineage, Rivals, rivals
from ledger.consortium.manifest import Manifest
from ledger.consortium.proposals import MAX_PROPOSALS, DoubleVote, Proposals, Proposed
from ledger.consortium.succession import newly_ended, read_successor, voters
from ledger.errors import Exhausted, InvalidInput, PlimsollError, Refused, Unready
from node.chain.committer import Committer
from node.clock import Clock
from node.homes.founding import check_time_zone
from node.homes.home import Home

log = structlog.get_logger()

#: Seconds from one look at the logs to the next, while they grow.
GAP = 0.2
#: Seconds after which they are looked at even if nothing was heard, and after a failure.
IDLE = 10.0
#: Successors in place of those in force here that are remembered.
MAX_RIVALS = 16

T = TypeVar("T")
OnChange = Callable[[History], Awaitable[None]]
Limit = Callable[[str], int | None]


class Governance:
    """To be used from the event loop's thread; `run` until cancelled. Reading and verifying is done by `executor`."""

    def __init__(
        self,
        home: Home,
        lineage: Lineage,
        chain: Chain,
        committer: Committer,
        on_change: OnChange,
        executor: Executor,
        *,
        resharing: Callable[[], bool] = lambda: False,
        limit: Limit = lambda _: None,
        clock: Clock | None = None,
    ) -> None:
        """lineage: as the home holds it. on_change: called once a successor is durable in the home, with all manifests;
        the next one is looked for when it returns. resharing: whether the keys of the epoch in force are not final yet.
        limit: by origin, how many entries of a frozen log count; None for one that is not frozen.
        """
        self._home = home
        self._lineage = lineage
        self._chain = chain
        self._committer = committer
        self._on_change = on_change
        self._executor = executor
        self._resharing = resharing
        self._limit = limit
        self._clock = clock or Clock()
        self._member = home.config.member
        self._proposals = Proposals(chain, lineage.history, limit)
        self._reading = asyncio.Lock()
        self._voting = asyncio.Lock()
        self._grown = asyncio.Event()
        self._told: set[str] = set()
        #: Whether what depends on the manifest in force has followed the last one.
        self._has_followed = asyncio.Event()
        self._has_followed.set()
        self._rivals: dict[bytes, Rivals] = {}

    @property
    def lineage(self) -> Lineage:
        """All manifests so far, with the approvals that show them."""
        return self._lineage

    @property
    def history(self) -> History:
        """All manifests so far."""
        return self._lineage.history

    @property
    def double_votes(self) -> tuple[DoubleVote, ...]:
        """Members that approved two successors of the manifest in force: for the operator's eyes."""
        return self._proposals.double_votes

    @property
    def alerts(self) -> list[str]:
        """What a person should look at."""
        alerts = [f"{double.member} has approved two successors of one manifest" for double in self.double_votes]
        return alerts + [
            f"manifest {one.theirs.id.hex()} is approved, too, in place of {one.ours.id.hex()} which is in force here; "
            f"approved both: {', '.join(one.members)}"
            for one in self._rivals.values()
        ]

    async def run(self) -> None:
        """Follows the logs. Raises what `on_change` raises: that this member is none any more, say."""
        loop = asyncio.get_running_loop()
        self._chain.listen(lambda _log, _before: loop.call_soon_threadsafe(self._grown.set))
        while True:
            self._grown.clear()
            while await self._advanced():
                await self._on_change(self.history)
                self._has_followed.set()
            try:
                async with asyncio.timeout(IDLE):
                    await self._grown.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(GAP)

    async def proposals(self) -> list[Proposed]:
        """Those to succeed the manifest in force, in the order in which this node came to know of them."""
        async with self._reading:
            return await self._off_loop(self._read_all)

    async def propose(self, text: bytes) -> tuple[bytes, int]:
        """Puts a successor before the members: its id, and the index of the Proposal in this member's log.

        Raises InvalidInput or Refused for what may not succeed the manifest in force, Unready while another resharing
        is under way (RESHARING) or where this node does not hold a log as far as it is to count (LACKS_ENTRIES),
        Exhausted for the ninth proposal, and as `Committer.append`.
        """
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput("BAD_MANIFEST", "a manifest is UTF-8", "manifest") from error
        await self._committer.may_sign()
        async with self._voting:
            after = await self._off_loop(read_successor, self.history, decoded)
            await self._check(after)
            async with self._reading:
                await self._off_loop(self._proposals.read)
            if self._proposals.proposed_by(self._member) >= MAX_PROPOSALS:
                raise Exhausted(
                    "TOO_MANY_PROPOSALS", f"{MAX_PROPOSALS} successors of one manifest are proposed already"
                )
            index = await self._committer.append([proposal_entry(after, int(self._clock.unix()))])
        log.info("proposed", manifest=after.id.hex(), index=index)
        return after.id, index

    async def approve(self, identity: bytes) -> int:
        """Approves a proposal, for good: the index of the Approval in this member's log.

        Raises NotFound for one that nobody made, Refused where this member has approved another (APPROVED_ANOTHER) or
        has no vote (NO_VOTE), and as `propose`.
        """
        # Only then is this member's log known to hold all that it ever approved.
        await self._committer.may_sign()
        async with self._voting:
            async with self._reading:
                await self._off_loop(self._proposals.read)
                proposed = await self._off_loop(self._proposals.get, identity)
            voted = self._proposals.vote(self._member)
            if voted is not None:
                return _same(voted, identity)
            before, after = self._proposals.before, proposed.manifest
            if self._member not in voters(before, after):
                raise Refused("NO_VOTE", "who is removed does not approve it", "manifest")
            await self._check(after)
            index = await self._committer.append([approval_entry(Vote(before.id, after.id), int(self._clock.unix()))])
            async with self._reading:
                if self._proposals.before.id == before.id:
                    await self._off_loop(self._proposals.read)
        log.info("approved", manifest=after.id.hex(), index=index)
        return index

    async def take(self, before: Manifest, raw: bytes) -> None:
        """What another node shows to have followed `before`, a serialized Succession: where it verifies, and `before`
        is in force here, it is put in force as if these approvals had been read in the logs. Raises as
        `Lineage.followed_by_step`, and what writing does."""
        await self._has_followed.wait()
        async with self._reading:
            if self.history.current.id == before.id and self._has_followed.is_set():
                await self._put_in_force(await self._off_loop(self._lineage.followed_by_step, raw))
        self._grown.set()

    async def compare(self, before: Manifest, raw: bytes) -> None:
        """What another node shows to have followed `before`, which something else has followed here. Where it verifies,
        a third of the members have approved both; nobody can say which one is right, and this node stays where it is.
        Raises as `Lineage.followed_by_step`."""
        found = await self._off_loop(rivals, self._lineage, before, raw)
        if found is not None and found.theirs.id not in self._rivals and len(self._rivals) < MAX_RIVALS:
            self._rivals[found.theirs.id] = found
            log.error("another successor is approved, too", manifest=found.theirs.id.hex(), by_both=found.members)

    def is_rival(self, manifest: bytes) -> bool:
        """Whether this manifest is known to be approved in place of one that is in force here."""
        return manifest in self._rivals

    async def _check(self, after: Manifest) -> None:
        """What the manifests alone do not tell."""
        check_time_zone(after)
        before = self.history.current
        if after.epoch != before.epoch and after.dealt_from == before.epoch and self._resharing():
            raise Unready(
                "RESHARING",
                "the custodians' shares are being dealt: wait until the keys are final, or deal from an earlier epoch",
                "epoch",
            )
        if after.epoch == before.epoch and self._resharing():
            # What a custodian says behind the end of its log could be said otherwise in its next one.
            taking_part = {*before.custodians, *self.history.keeping(before.dealt_from or before.epoch).custodians}
            if any(one.member in taking_part and not self._is_over(one) for one in newly_ended(before, after)):
                raise Unready(
                    "RESHARING",
                    "the log of who takes part in dealing shares cannot end now: wait, or deal from an earlier epoch",
                    "ended",
                )
        for number, ended in enumerate(newly_ended(before, after), len(before.ended)):
            held = self._chain.log_by_origin(before.origin(ended.member))
            path = f"ended[{number}]"
            if held.covered < ended.size:
                message = f"this node holds {held.covered} entries of {ended.name}, not {ended.size}, as yet"
                raise Unready("LACKS_ENTRIES", message, path)
            if await self._off_loop(held.root_at, ended.size) != ended.root:
                raise Refused("OTHER_ROOT", f"{ended.name} has another root at this size here", path)

    def _is_over(self, ended: EndedLog) -> bool:
        """Whether nothing behind this end will ever count: the log is frozen, and what was witnessed of it stays."""
        limit = self._limit(self.history.current.origin(ended.member))
        return limit is not None and ended.size >= limit

    async def _advanced(self) -> bool:
        try:
            return await self._step()
        except PlimsollError as error:  # a log that has rotted, a disk that is full: it is tried again
            log.error("following the proposals failed", why=str(error))
            return False

    async def _step(self) -> bool:
        """Reads on; whether a successor has come into force."""
        async with self._reading:
            if not self._has_followed.is_set():  # one that was shown by another node
                return True
            accepted = await self._off_loop(self._read_accepted)
            self._tell()
            if accepted is None:
                return False
            proofs = await self._off_loop(self._proposals.proofs, accepted.manifest.id)
            await self._put_in_force(await self._off_loop(self._lineage.followed_by, accepted.manifest, proofs))
        return True

    async def _put_in_force(self, lineage: Lineage) -> None:
        """Durable from here on; `run` has everything else follow."""
        await self._off_loop(self._home.store_lineage, lineage)
        self._lineage = lineage
        self._proposals = Proposals(self._chain, lineage.history, self._limit)
        self._has_followed.clear()
        log.info("a successor is accepted", manifest=lineage.current.id.hex(), sequence=lineage.current.sequence)

    def _read_all(self) -> list[Proposed]:
        self._proposals.read()
        return self._proposals.all()

    def _read_accepted(self) -> Proposed | None:
        self._proposals.read()
        return self._proposals.accepted()

    def _tell(self) -> None:
        for double in self._proposals.double_votes:
            if double.origin not in self._told:
                self._told.add(double.origin)
                log.error("approved two successors", member=double.member, entries=[double.first, double.second])

    async def _off_loop(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, partial(work, *arguments))


def _same(voted: tuple[int, bytes], identity: bytes) -> int:
    """The index of the approval that was given already. Raises Refused for another's."""
    index, manifest = voted
    if manifest != identity:
        message = f"{manifest.hex()} is approved already, and nobody approves two successors of one manifest"
        raise Refused("APPROVED_ANOTHER", message, "manifest")
    return index
