"""The audit of one log. Whatever is wrong is a finding, and what can still be checked is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from plimsoll.v1 import peer_pb2

from client.audit import memory, receipts, witnesses
from client.audit.accusations import Accusation
from client.audit.follower import Follower, Taken
from client.audit.logs import LogId
from client.audit.proofs import Pool
from client.audit.report import Finding, LogReport
from client.audit.tally import Tally
from client.audit.witnesses import Claim
from client.sdk import Session
from ledger.checkpoint import Head
from ledger.errors import InvalidInput, NotFound, PlimsollError, Unverified
from ledger.history import History
from ledger.receipt import Receipt

Progress = Callable[[str, int, int], None]
"""(what is being done, how much of it is done, how much there is)"""


class OneLog:
    """One log, read through `session` as far as the node has it, also where it has ended before.

    What is beyond its end does not count; but answers given before the end was known, and approvals of the very change
    that ends it, stand there.
    """

    def __init__(
        self,
        session: Session,
        log: LogId,
        tally: Tally,
        *,
        sizes: Iterable[int] = (),
        leaves: Iterable[int] = (),
        sampled: Sequence[int] = (),
    ) -> None:
        """sizes, leaves: at which roots and leaf hashes will be needed. sampled: the receipts to check."""
        end = () if log.ended is None else (log.ended.size,)
        self.id = log
        self.member = log.member
        self.key = log.key
        self.follower = Follower(log.key, {*sizes, *end}, {*leaves, *sampled})
        self.tally = tally
        self.findings: list[Finding] = []
        self.accused: tuple[Accusation, ...] = ()
        self._session = session
        self._sampled = list(sampled)
        self._whole = False
        self._receipts = 0
        self._proofs: int | None = None
        self._roots: dict[int, bytes] = {}

    @property
    def is_settled(self) -> bool:
        """Whether its author has signed two histories and the members have ended it: what counts is fixed."""
        return bool(self.accused) and self.id.ended is not None

    @property
    def report(self) -> LogReport:
        """What has been seen so far."""
        end = None if self.id.ended is None else self.id.ended.size
        kinds = self.tally.kinds
        times, frozen = self.tally.timeline.facts(), bool(self.accused)
        return LogReport(self.member, self.follower.head, kinds, self._receipts, self._proofs, end, frozen, times)

    def read(self, expected: int, progress: Progress) -> None:
        """Reads the log from its first entry on. expected: how many there should be, for the progress."""
        try:
            for block in self._session.read(self.key.name):
                self.tally.count(self._take(block))
                progress(f"reading {self.id.name}", self.follower.size, expected)
            self._whole = True
        except _Broken as broken:
            self._note(broken.error, broken.index)
        except NotFound as error:
            if self.id.ended is None or self.id.ended.size:  # one that never had an entry nobody has to keep
                self._note(error, 0)
        except PlimsollError as error:
            self._note(error, self.follower.size)

    def check_end(self) -> None:
        """That a log that has ended is the one the manifest means, as far as it counts."""
        ended = self.id.ended
        if ended is None:
            return
        root = self.follower.root_at(ended.size)
        try:
            if root is None and self._whole:
                raise Unverified("TRUNCATED", f"{self.id.name} ended with {ended.size} entries; the node has fewer")
            if root is not None and root != ended.root:
                raise Unverified("OTHER_ROOT", f"{self.id.name} has another root where the manifest says it ended")
        except Unverified as error:
            self._note(error, self.follower.size if root is None else None)

    def compare(self, claims: Sequence[Claim], sources: Mapping[str, Session], own: str, history: History) -> None:
        """Holds the heads that members hold against what was read; `own` is the one we read through."""
        good: list[Claim] = []
        for claim in claims if self._whole else ():
            try:
                if claim.witness == own and self.follower.size < claim.head.size:
                    raise Unverified("TRUNCATED", "the node hands out fewer entries than its head covers")
                witnesses.compare(claim, self.follower, sources[claim.witness].consistency)
                good.append(claim)
            except PlimsollError as error:
                if error.reason != "FORK" or not self.is_settled:  # that there are two is known
                    self._note(error, None)
        self._compare_witnessed([claim for claim in claims if claim.witnessed], good, history)

    def _compare_witnessed(self, claims: Sequence[Claim], good: Sequence[Claim], history: History) -> None:
        for one, other in combinations(claims, 2):
            parted = one.head.size == other.head.size and one.head.root != other.head.root
            # One of another history than the one read may be from after the two parted, the other one from before.
            right, wrong = (one, other) if one in good else (other, one)
            apart = self._whole and right in good and wrong not in good and wrong.head.size <= right.head.size
            if parted or apart:
                self._note(witnesses.conflict(one.signed.note.encode(), other.signed.note.encode(), history), None)
                return

    def compare_with_last(self, head: Head) -> None:
        """Holds what the last audit saw against what was read."""
        if self.is_settled:  # the node may hold another of its histories by now; where it ended is checked
            return
        try:
            memory.compare(head, self.follower, None if self.id.ended is None else self.id.ended.size)
        except Unverified as error:
            self._note(error, None)

    def check_receipts(self) -> None:
        """Checks the sampled receipts."""
        for index in self._sampled if self._whole else ():
            try:
                receipts.check(self._session, self.key, self.follower, index)
                self._receipts += 1
            except PlimsollError as error:
                self._note(error, index)

    def check_proofs(self, pool: Pool, progress: Progress) -> Iterator[Finding]:
        """Reads the log a second time, now that the keys are known, and hands its positions to the pool. Yields what
        the pool has found so far, of any log."""
        self._proofs = 0
        for taken, again in self._again(()):
            count, findings = pool.submit(self.member, taken)
            yield from findings
            self._proofs += count
            progress(f"proofs of {self.id.name}", again.size, self.follower.size)

    def find_roots(self, sizes: Iterable[int], progress: Progress) -> None:
        """Reads the log once more for roots that nobody knew would be needed."""
        wanted = {size for size in sizes if size <= self.follower.size and self.follower.root_at(size) is None}
        for _, again in self._again(wanted) if wanted else ():
            self._roots |= {size: root for size in wanted if (root := again.root_at(size)) is not None}
            progress(f"reading {self.id.name} again", again.size, self.follower.size)

    def _again(self, sizes: Iterable[int]) -> Iterator[tuple[Taken, Follower]]:
        """The log as it was read, once more. That it is not the same is noted."""
        size = self.follower.size
        again = Follower(self.key, {*sizes, size})
        try:
            for block in self._session.read(self.key.name) if size else ():
                yield again.take(block), again
                if again.size >= size:
                    break
            if again.root_at(size) != self.follower.root_at(size):
                raise Unverified("FORK", "read twice, and not the same log")
        except PlimsollError as error:
            self._note(error, again.size)

    # -- what the verification of transcripts needs of a log (ledger.logview.LogView)

    @property
    def size(self) -> int:
        """How many entries were read."""
        return self.follower.size

    def root_at(self, size: int) -> bytes:
        """The root at one of the sizes asked for. Raises InvalidInput for others."""
        root = self._roots.get(size, self.follower.root_at(size))
        if root is None:
            raise InvalidInput("BAD_SIZE", f"the root of {self.id.name} at size {size} was not kept", "size")
        return root

    def leaf_hash(self, index: int) -> bytes:
        """The leaf hash at one of the indices asked for. Raises InvalidInput for others."""
        leaf = self.follower.leaf(index)
        if leaf is None:
            raise InvalidInput("BAD_INDEX", f"entry {index} of {self.id.name} was not kept", "index")
        return leaf

    def find(self, label: bytes) -> int | None:
        """Index of the first entry with this label."""
        return self.tally.labels.get(label)

    def entry(self, index: int) -> bytes:
        """An entry's bytes, fetched and verified anew: they are not kept."""
        return receipts.fetch_entry(self._session, self.key, self.follower, index)

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Of challenges alone, which are counted by it: where they stand, without their bytes."""
        assert kind == "challenge", "no other is asked for"
        return (
            (index, b"") for index in self.tally.challenges.indices if start <= index and (stop is None or index < stop)
        )

    # -- private

    def _take(self, block: peer_pb2.Block) -> Taken:
        try:
            return self.follower.take(block)
        except Unverified as error:
            raise _Broken(error, self._first_bad(block)) from error

    def _first_bad(self, block: peer_pb2.Block) -> int:
        """The first entry of a bad block that its author has not signed so; receipts tell. The block's start where
        they tell nothing."""
        for index, entry in enumerate(block.entries, block.start):
            try:
                Receipt.parse(self._session.receipt(self.key.name, index).receipt).verify(entry, self.key)
            except PlimsollError:
                return index
        return block.start

    def _note(self, error: PlimsollError, index: int | None) -> None:
        self.findings.append(Finding.because(self.member, index, error))


class _Broken(Exception):
    """A block that does not verify, and the first entry in it that is bad."""

    def __init__(self, error: PlimsollError, index: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.index = index
