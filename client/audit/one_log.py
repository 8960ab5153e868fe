"""The audit of one log. Whatever is wrong is a finding, and what can still be checked is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from plimsoll.v1 import peer_pb2

from client.audit import memory, receipts, witnesses
from client.audit.follower import Follower, Taken
from client.audit.proofs import Pool
from client.audit.report import Finding, LogReport
from client.audit.tally import Tally
from client.audit.witnesses import Claim
from client.sdk import Session
from ledger.checkpoint import Head
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.note import VerifierKey
from ledger.receipt import Receipt

Progress = Callable[[str, int, int], None]
"""(what is being done, how much of it is done, how much there is)"""


class OneLog:
    """One member's log, read through `session`."""

    def __init__(
        self,
        session: Session,
        member: str,
        key: VerifierKey,
        *,
        sizes: Iterable[int] = (),
        leaves: Iterable[int] = (),
        sampled: Sequence[int] = (),
        keep_labels: bool = False,
    ) -> None:
        """sizes, leaves: at which roots and leaf hashes will be needed. sampled: the receipts to check. keep_labels:
        whether entries will be looked for by label."""
        self.member = member
        self.key = key
        self.follower = Follower(key, sizes, {*leaves, *sampled})
        self.tally = Tally(member, keep_labels=keep_labels)
        self.findings: list[Finding] = []
        self._session = session
        self._sampled = list(sampled)
        self._whole = False
        self._receipts = 0
        self._proofs: int | None = None

    @property
    def report(self) -> LogReport:
        """What has been seen so far."""
        return LogReport(self.member, self.follower.head, self.tally.kinds, self._receipts, self._proofs)

    def read(self, expected: int, progress: Progress) -> None:
        """Reads the log from its first entry on. expected: how many there should be, for the progress."""
        try:
            for block in self._session.read(self.key.name):
                self.tally.count(self._take(block))
                progress(f"reading {self.member}", self.follower.size, expected)
            self._whole = True
        except _Broken as broken:
            self._note(broken.error, broken.index)
        except PlimsollError as error:
            self._note(error, self.follower.size)

    def compare(self, claims: Sequence[Claim], sources: Mapping[str, Session], own: str) -> None:
        """Holds the heads that members hold against what was read; `own` is the one we read through."""
        for claim in claims if self._whole else ():
            try:
                if claim.witness == own and self.follower.size < claim.head.size:
                    raise Unverified("TRUNCATED", "the node hands out fewer entries than its head covers")
                witnesses.compare(claim, self.follower, sources[claim.witness].consistency)
            except PlimsollError as error:
                self._note(error, None)

    def compare_with_last(self, head: Head) -> None:
        """Holds what the last audit saw against what was read."""
        try:
            memory.compare(head, self.follower)
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
        size, again = self.follower.size, Follower(self.key, [self.follower.size])
        try:
            for block in self._session.read(self.key.name) if size else ():
                count, findings = pool.submit(self.member, again.take(block))
                yield from findings
                self._proofs += count
                progress(f"proofs of {self.member}", again.size, size)
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
        root = self.follower.root_at(size)
        if root is None:
            raise InvalidInput("BAD_SIZE", f"the root of {self.member}'s log at size {size} was not kept", "size")
        return root

    def leaf_hash(self, index: int) -> bytes:
        """The leaf hash at one of the indices asked for. Raises InvalidInput for others."""
        leaf = self.follower.leaf(index)
        if leaf is None:
            raise InvalidInput("BAD_INDEX", f"entry {index} of {self.member}'s log was not kept", "index")
        return leaf

    def find(self, label: bytes) -> int | None:
        """Index of the first entry with this label."""
        return self.tally.labels.get(label)

    def entry(self, index: int) -> bytes:
        """An entry's bytes, fetched and verified anew: they are not kept."""
        return receipts.fetch_entry(self._session, self.key, self.follower, index)

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
