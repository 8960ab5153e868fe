"""The audit of one log. Whatever is wrong is a finding, and what can still be checked is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from plimsoll.v1 import peer_pb2

from client.audit.judging import witnesses
from client.audit.judging.accusations import Accusation
from client.audit.judging.witnesses import Claim
from client.audit.keeping import memory
from client.audit.keeping.memory import LogState
from client.audit.reading import receipts
from client.audit.reading.digest import Digest
from client.audit.reading.digested import digested
from client.audit.reading.follower import Follower, Taken
from client.audit.reading.logs import LogId
from client.audit.reading.proofs import Prover
from client.audit.reading.source import Source
from client.audit.reading.tally import Tally
from client.audit.reading.tiles import BadTile, Tiles
from client.audit.reading.workers import Workers
from client.audit.report import Finding, LogReport
from ledger.ceremony import CeremonyEntry
from ledger.chain.block import MAX_ENTRIES
from ledger.consortium.history import History
from ledger.errors import Exhausted, NotFound, PlimsollError, Unavailable, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head
from ledger.tlog.merkle import CompactRange
from ledger.tlog.receipt import Receipt

Progress = Callable[[str, int, int], None]
"""(what is being done, how much of it is done, how much there is)"""

#: From so many entries on it is worth having other processes hash them.
PARALLEL_FROM = 20_000


class OneLog:
    """One log, read through `source` as far as it has it, also where it has ended before.

    What is beyond its end does not count; but answers given before the end was known, and approvals of the very change
    that ends it, stand there. It is read on from where the last audit left it, if the log there is still begins with
    what was seen then; else from its first entry.
    """

    def __init__(
        self,
        source: Source,
        log: LogId,
        tally: Callable[[LogState | None], Tally],
        *,
        last: LogState | None = None,
        newest: Head | None = None,
        sizes: Iterable[int] = (),
        leaves: Iterable[int] = (),
        sampled: Sequence[int] = (),
    ) -> None:
        """tally: makes the one that goes on from a state. last: what the last audit saw. newest: the head
        that the source has, verified. sizes, leaves: at which roots
        and leaf hashes will be needed. sampled: the receipts to check."""
        self.id = log
        self.member = log.member
        self.key = log.key
        self.findings: list[Finding] = []
        self.unchecked: list[Finding] = []
        self.accused: tuple[Accusation, ...] = ()
        self._source = source
        self._last = last
        self._sampled = list(sampled)
        self._whole = False
        self._receipts = 0
        self._proofs: int | None = None
        self._roots: dict[int, bytes] = {}
        self._begun = last if self._can_go_on(last, newest) else None
        end = () if log.ended is None else (log.ended.size,)
        known = () if last is None else (last.head.size,)
        at_end = isinstance(source, Tiles)
        self.follower = Follower(log.key, {*sizes, *end, *known}, {*leaves, *sampled}, edge=self._edge(), at_end=at_end)
        self.tally = tally(self._begun)

    @property
    def is_settled(self) -> bool:
        """Whether its author has signed two histories and the members have ended it: what counts is fixed."""
        return bool(self.accused) and self.id.ended is not None

    @property
    def is_doubtful(self) -> bool:
        """Whether others may have seen another log than was read: its author has signed two histories, or something is
        wrong with it."""
        return bool(self.accused or self.findings)

    @property
    def is_good(self) -> bool:
        """Whether it was read to its end and nothing is wrong with it."""
        return self._whole and not self.findings and not self.unchecked

    @property
    def report(self) -> LogReport:
        """What has been seen so far."""
        end = None if self.id.ended is None else self.id.ended.size
        kinds, times, frozen = self.tally.kinds, self.tally.timeline.facts(), bool(self.accused)
        return LogReport(
            self.member,
            self.follower.head,
            kinds,
            self._receipts,
            self._proofs,
            end,
            frozen,
            times,
            since=self.follower.start,
        )

    def state(self) -> LogState:
        """What the next audit should know."""
        progressed = self.tally.progressed(self.follower.edge.peaks)
        small = sum(len(each.entry) for each in progressed.kept) <= memory.MAX_KEPT
        return LogState(self.follower.head, progressed if small else None)

    def read(self, expected: int, progress: Progress, workers: Workers | None = None) -> None:
        """Reads the log. expected: how many entries there should be, for the progress. workers: to hash with."""
        try:
            tiles = self._source.check(self.key.name, self.size) if isinstance(self._source, Tiles) else None
            blocks = self._source.read(self.key.name, self.size)
            many = expected - self.size >= PARALLEL_FROM
            for block, found in digested(blocks, workers if many else None):
                if tiles is not None:
                    tiles.take(found.leaves)
                self._take(block, found)
                self.tally.count(found)
                progress(f"reading {self.id.name}", self.follower.size, expected)
            self._whole = True
        except _Broken as broken:
            self._note(broken.error, broken.index)
        except BadTile as error:
            self._note(error, error.index)
        except NotFound as error:
            if self.id.ended is None or self.id.ended.size:  # one that never had an entry nobody has to keep
                self._note(error, self.follower.size)
        except PlimsollError as error:
            self._note(error, self._first_unread(error, expected))

    def check_end(self) -> None:
        """That a log that has ended is the one the manifest means, as far as it counts."""
        ended = self.id.ended
        if ended is None:
            return
        try:
            if self.size < ended.size:
                if self._whole:
                    raise Unverified("TRUNCATED", f"{self.id.name} ended with {ended.size} entries; fewer are there")
                return
            if not witnesses.is_prefix(
                Head(self.key.name, ended.size, ended.root), self.follower, self._source.consistency
            ):
                raise Unverified("OTHER_ROOT", f"{self.id.name} has another root where the manifest says it ended")
        except PlimsollError as error:
            self._note(error, self.size if error.reason == "TRUNCATED" else None)

    def compare(self, claims: Sequence[Claim], sources: Mapping[str, Source], own: str, history: History) -> None:
        """Holds the heads that members hold against what was read; `own` is the one we read through."""
        good: list[Claim] = []
        for claim in claims if self._whole else ():
            try:
                if self.follower.size < claim.head.size:
                    if not claim.held:  # known to be witnessed, and on its way; in a folder nothing is
                        if isinstance(self._source, Tiles):
                            raise Unavailable(
                                "TRUNCATED", f"{claim.head.size} entries of {self.id.name} were witnessed"
                            )
                        continue
                    if claim.witness == own:
                        raise Unverified("TRUNCATED", "the node hands out fewer entries than its head covers")
                witnesses.compare(claim, self.follower, sources[claim.witness].consistency, self._source.consistency)
                good.append(claim)
            except PlimsollError as error:
                if error.reason != "FORK" or not self.is_settled:  # that there are two is known
                    self._note(error, None)
        self._compare_witnessed([claim for claim in claims if claim.witnessed], good, history)

    def _compare_witnessed(self, claims: Sequence[Claim], good: Sequence[Claim], history: History) -> None:
        for one, other in combinations({claim.raw: claim for claim in claims}.values(), 2):
            parted = one.head.size == other.head.size and one.head.root != other.head.root
            # One of another history than the one read may be from after the two parted, the other one from before.
            right, wrong = (one, other) if one in good else (other, one)
            apart = self._whole and right in good and wrong not in good and wrong.head.size <= right.head.size
            if parted or apart:
                self._note(witnesses.conflict(one.raw, other.raw, history), None)
                return

    def compare_with_last(self) -> None:
        """Holds what the last audit saw against what was read."""
        # Of a settled one the node may hold another of its histories by now; where it ended is checked.
        if self._last is None or self._begun is not None or self.is_settled:
            return
        if not self._whole and self.size < self._last.head.size:  # what broke off is told
            return
        try:
            memory.compare(self._last.head, self.follower, None if self.id.ended is None else self.id.ended.size)
        except Unverified as error:
            self._note(error, None)

    def check_receipts(self) -> None:
        """Checks the sampled receipts."""
        for index in self._sampled if self._whole else ():
            try:
                receipts.check(self._source, self.key, self.follower, index)
                self._receipts += 1
            except PlimsollError as error:
                self._note(error, index)

    def read_again(self, sizes: Iterable[int], prover: Prover | None, progress: Progress) -> None:
        """Reads what is new a second time, now that it is known which roots are needed, and under which keys the
        positions must be: hands these to the prover. That it is not the same log is noted."""
        self._proofs = None if prover is None else 0
        wanted = {size for size in sizes if self.follower.start < size <= self.size and self.known_root(size) is None}
        if (not wanted and prover is None) or self.size == self.follower.start:
            return
        at_end = isinstance(self._source, Tiles)
        again = Follower(self.key, {*wanted, self.size}, edge=self._edge(), at_end=at_end)
        try:
            for taken in self._again(again):
                if prover is not None:
                    self._proofs = (self._proofs or 0) + prover.submit(self.member, taken)
                progress(f"{'roots' if prover is None else 'proofs'} of {self.id.name}", again.size, self.size)
        except PlimsollError as error:
            self._note(error, again.size)
        self._roots |= {size: root for size in wanted if (root := again.root_at(size)) is not None}

    def _again(self, again: Follower) -> Iterator[Taken]:
        for block in self._source.read(self.key.name, again.size):
            yield again.take(block)
            if again.size >= self.size:
                break
        if again.root_at(self.size) != self.follower.root_at(self.size):
            raise Unverified("FORK", "read twice, and not the same log")

    @property
    def size(self) -> int:
        """How many entries were read, by this audit and those before it."""
        return self.follower.size

    @property
    def ceremony(self) -> Sequence[CeremonyEntry]:
        """Its entries of key ceremonies."""
        return self.tally.ceremony

    def known_root(self, size: int) -> bytes | None:
        """The root at one of the sizes asked for; None for others."""
        return self._roots.get(size, self.follower.root_at(size))

    def begins_with(self, head: Head) -> bool:
        """Whether what was read begins with this tree, which is no larger. Raises what asking the source does."""
        return witnesses.is_prefix(head, self.follower, self._source.consistency)

    # -- private

    def _can_go_on(self, last: LogState | None, newest: Head | None) -> bool:
        """Whether the source has a log that continues what was seen."""
        if last is None or last.progressed is None:
            return False
        if newest is None or newest.size < last.head.size:
            return not last.head.size
        try:
            path = self._source.consistency(self.key.name, last.head.size, newest.size)
            merkle.verify_consistency(last.head.size, last.head.root, newest.size, newest.root, tuple(path))
        except PlimsollError:  # then it is read from its first entry, which tells what is wrong
            return False
        return True

    def _edge(self) -> CompactRange | None:
        if self._begun is None or self._begun.progressed is None:
            return None
        return CompactRange(self._begun.head.size, self._begun.progressed.peaks)

    def _take(self, block: peer_pb2.Block, found: Digest) -> None:
        try:
            self.follower.take_hashed(block, found.leaves, found.fit)
        except Unverified as error:
            raise _Broken(error, self._first_bad(block)) from error

    def _first_bad(self, block: peer_pb2.Block) -> int:
        """The first entry of a bad block that its author has not signed so; receipts tell. The block's start where
        they tell nothing."""
        for index, entry in enumerate(block.entries, block.start):
            try:
                Receipt.parse(self._source.receipt(self.key.name, index).receipt).verify(entry, self.key)
            except PlimsollError:
                return index
        return block.start

    def _first_unread(self, error: PlimsollError, expected: int) -> int:
        """The first entry that a source which broke off in the middle of a block cannot show. Receipts tell, within as
        many entries as a block can have."""
        start = self.follower.size
        if isinstance(error, Unavailable | Exhausted | NotFound):
            return start
        for index in range(start, min(expected, start + MAX_ENTRIES)):
            try:
                answer = self._source.receipt(self.key.name, index)
                Receipt.parse(answer.receipt).verify(answer.entry, self.key)
            except PlimsollError:
                return index
        return start

    def _note(self, error: PlimsollError, index: int | None) -> None:
        """What may succeed later was not checked; all else is wrong."""
        found = Finding.because(self.member, index, error)
        (self.unchecked if isinstance(error, Unavailable | Exhausted) else self.findings).append(found)


class _Broken(Exception):
    """A block that does not verify, and the first entry in it that is bad."""

    def __init__(self, error: PlimsollError, index: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.index = index
