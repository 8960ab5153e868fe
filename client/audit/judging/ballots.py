"""The Proposals and Approvals of one log, as far as they can matter (docs/protocol.md, section 14).

What is kept is bounded, whatever a member appends: of each predecessor the first approval and one that contradicts it,
and its first few proposals. is_foreign: something was left out that concerns manifests not known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from client.audit.reading.kept import Kept
from ledger.chain.entries import Kind
from ledger.consortium.ballot import Vote, approval_entry, read_proposal, read_vote
from ledger.consortium.proposals import DoubleVote
from ledger.tlog import merkle

#: Proposals of one member to succeed one manifest that are kept (no reader has to look at more than the first 8).
MAX_PROPOSALS = 64
#: Predecessors that are not known here of which approvals are compared.
MAX_UNKNOWN = 1000


class Ballots:
    """What `ledger.consortium.proposals` reads of a log, without the log."""

    def __init__(self, member: str, origin: str, known: Collection[bytes]) -> None:
        """known: the ids of the consortium's manifests."""
        self.member = member
        self.origin = origin
        self.covered = 0
        self._known = known
        self._proposals: list[tuple[int, bytes]] = []
        self._proposed: Counter[bytes] = Counter()
        self._approvals: list[tuple[int, bytes]] = []
        self._votes: dict[bytes, tuple[int, bytes]] = {}
        self._double: dict[bytes, DoubleVote] = {}
        self._contradicting: list[tuple[int, bytes]] = []
        self.is_foreign = False

    @property
    def double_votes(self) -> list[DoubleVote]:
        """Every pair of approvals that names one predecessor and two successors; the first of each predecessor."""
        return list(self._double.values())

    def take(self, index: int, code: int, entry: bytes) -> None:
        """A sound entry of a known kind, as it stands at `index`."""
        self.covered = index + 1
        if code == Kind.PROPOSAL:
            self._propose(index, entry)
        elif code == Kind.APPROVAL and (vote := read_vote(entry)) is not None:
            self._approve(index, vote)

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See `ledger.chain.logview.LogView`; of proposals and approvals alone."""
        kept = self._proposals if kind == "proposal" else self._approvals
        return ((index, entry) for index, entry in kept if start <= index and (stop is None or index < stop))

    def kept(self) -> Iterator[Kept]:
        """What to go on from."""
        votes = ((index, approval_entry(Vote(previous, to), 0)) for previous, (index, to) in self._votes.items())
        for index, entry in (*self._proposals, *votes, *self._contradicting):
            yield Kept(index, merkle.leaf_hash(entry), entry)

    def _propose(self, index: int, entry: bytes) -> None:
        proposal = read_proposal(entry)
        if proposal is None or proposal[0] not in self._known:
            self.is_foreign = True
        elif self._proposed[proposal[0]] < MAX_PROPOSALS:
            self._proposed[proposal[0]] += 1
            self._proposals.append((index, entry))

    def _approve(self, index: int, vote: Vote) -> None:
        known = vote.previous in self._known
        if vote.previous not in self._votes:
            if known or len(self._votes) < len(self._known) + MAX_UNKNOWN:
                self._votes[vote.previous] = index, vote.manifest
                if known:  # the vote alone: an entry may be large
                    self._approvals.append((index, approval_entry(vote, 0)))
            else:
                self.is_foreign = True
            return
        first, manifest = self._votes[vote.previous]
        if manifest != vote.manifest and vote.previous not in self._double:
            self._double[vote.previous] = DoubleVote(self.member, self.origin, first, index)
            self._contradicting.append((index, approval_entry(vote, 0)))
