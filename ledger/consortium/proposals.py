"""The proposals to succeed one manifest, and who approves them, out of the members' logs (protocol section 14).

An Approval counts if it stands in the log that its author has under the manifest to be succeeded, below the size at
which that log is frozen if it is, and is the first there that names this predecessor. A second one for another
successor is misconduct, which the log proves for ever.

What is kept is bounded, whatever a member appends: its first few proposals, its first vote, one that contradicts it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ledger.chain.chain import Chain, Log
from ledger.consortium.ballot import read_proposal, read_vote, unpacked
from ledger.consortium.history import History
from ledger.consortium.lineage import ApprovalProof, prove
from ledger.consortium.manifest import Manifest
from ledger.consortium.succession import approvals_needed, read_successor, voters
from ledger.errors import NotFound, PlimsollError

MAX_PROPOSALS = 8
"""Proposals of one member for one predecessor that are kept; more are ignored."""

_MAX_LOOKED_AT = 64  # proposals of one member that are unpacked at all: what is no successor costs time, too


@dataclass(frozen=True, slots=True)
class Proposed:
    """A successor that may be approved. proposer: who did so first, as far as this reader knows.

    approved: members whose approval counts, in the predecessor's order. needed: how many approvals it takes.
    """

    manifest: Manifest
    proposer: str
    approved: tuple[str, ...]
    needed: int

    @property
    def accepted(self) -> bool:
        """Whether enough members approve."""
        return len(self.approved) >= self.needed


@dataclass(frozen=True, slots=True)
class DoubleVote:
    """One member approved two successors of one manifest: its entries at these indices of its log."""

    member: str
    origin: str
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Kept packed: a text may be four times as large."""

    packed: bytes
    proposer: str
    needed: int
    voters: tuple[str, ...]


@dataclass(slots=True)
class _Reader:
    """How far one log has been read, and what was found."""

    proposals_to: int = 0
    votes_to: int = 0
    looked_at: int = 0
    kept: int = 0


class Proposals:
    """Reads on where it stopped, each time it is asked to. Not for several threads at once."""

    def __init__(self, chain: Chain, history: History, limit: Callable[[str], int | None] = lambda _: None) -> None:
        """history: the manifest to be succeeded is its last. limit: by origin, how many entries of a frozen log count;
        None for a log that is not frozen."""
        self._chain = chain
        self._history = history
        self._limit = limit
        self._readers: dict[str, _Reader] = {}
        self._candidates: dict[bytes, _Candidate] = {}
        self._votes: dict[str, tuple[int, bytes]] = {}
        self._double: dict[str, DoubleVote] = {}

    @property
    def before(self) -> Manifest:
        """The manifest to be succeeded."""
        return self._history.current

    def read(self) -> None:
        """Takes in what the logs have got since. Raises what reading a log does."""
        for member in self.before.members:
            try:
                log = self._chain.log_by_origin(self.before.origin(member.name))
            except NotFound:  # of a member that joined a moment ago
                continue
            reader = self._readers.setdefault(log.origin, _Reader())
            self._read_proposals(log, reader)
            self._read_votes(log, reader)

    def all(self) -> list[Proposed]:
        """In the order in which this reader came to know of them."""
        return [self.get(identity) for identity in self._candidates]

    def get(self, identity: bytes) -> Proposed:
        """The proposal of the successor with this id. Raises NotFound."""
        if identity not in self._candidates:
            raise NotFound(
                "UNKNOWN_PROPOSAL", "nobody has proposed this successor of the manifest in force", "manifest"
            )
        held = self._candidates[identity]
        after = read_successor(self._history, unpacked(held.packed))
        return Proposed(after, held.proposer, self._approved(identity), held.needed)

    def vote(self, member: str) -> tuple[int, bytes] | None:
        """Index and successor of the approval by which a member is bound."""
        return self._votes.get(member)

    def proposed_by(self, member: str) -> int:
        """How many of a member's proposals are kept."""
        reader = self._readers.get(self.before.origin(member))
        return reader.kept if reader else 0

    @property
    def double_votes(self) -> tuple[DoubleVote, ...]:
        """Members that approved two successors of this manifest."""
        return tuple(self._double.values())

    def accepted(self) -> Proposed | None:
        """The successor that enough members approve. There is but one: each member has one vote, and it takes at least
        two thirds of them."""
        found = (one for one, held in self._candidates.items() if len(self._approved(one)) >= held.needed)
        accepted = next(found, None)
        return None if accepted is None else self.get(accepted)

    def proofs(self, identity: bytes) -> list[ApprovalProof]:
        """The approvals of a successor as they stand alone, in the predecessor's order. Raises NotFound."""
        return [
            prove(member, self._chain.log_by_origin(self.before.origin(member)), self._votes[member][0])
            for member in self.get(identity).approved
        ]

    def _approved(self, identity: bytes) -> tuple[str, ...]:
        return tuple(
            member
            for member in self._candidates[identity].voters
            if member in self._votes and self._votes[member][1] == identity and self._counts(member)
        )

    def _counts(self, member: str) -> bool:
        """Whether the vote stands in the part of the log that counts: a log may be frozen after it was read."""
        limit = self._limit(self.before.origin(member))
        return limit is None or self._votes[member][0] < limit

    def _read_proposals(self, log: Log, reader: _Reader) -> None:
        end = log.covered
        for index, raw in log.entries_by_kind("proposal", reader.proposals_to, end):
            if reader.kept >= MAX_PROPOSALS or reader.looked_at >= _MAX_LOOKED_AT:
                break
            reader.proposals_to = index + 1
            if self.before.id in raw:  # most of a flood names another manifest: seen before anything is parsed
                self._propose(log.member, raw, reader)
        reader.proposals_to = end

    def _propose(self, member: str, raw: bytes, reader: _Reader) -> None:
        found = read_proposal(raw)
        if found is None or found[0] != self.before.id:
            return
        reader.looked_at += 1
        try:
            after = read_successor(self._history, unpacked(found[1]))
        except PlimsollError:  # no successor: nobody can approve it
            return
        reader.kept += 1
        held = _Candidate(found[1], member, approvals_needed(self.before, after), voters(self.before, after))
        self._candidates.setdefault(after.id, held)

    def _read_votes(self, log: Log, reader: _Reader) -> None:
        end = log.covered
        if log.member not in self._double:
            for index, raw in log.entries_by_kind("approval", reader.votes_to, end):
                if self.before.id in raw and self._vote(log, index, raw):
                    break
        reader.votes_to = end

    def _vote(self, log: Log, index: int, raw: bytes) -> bool:
        """Takes in one approval; whether nothing after it matters any more."""
        vote = read_vote(raw)
        if vote is None or vote.previous != self.before.id:
            return False
        first, manifest = self._votes.setdefault(log.member, (index, vote.manifest))
        if manifest == vote.manifest:
            return False
        self._double[log.member] = DoubleVote(log.member, log.origin, first, index)
        return True


def double_votes(log: Log) -> list[DoubleVote]:
    """Every pair of approvals in a whole log that names one predecessor and two successors; the first of each."""
    first: dict[bytes, tuple[int, bytes]] = {}
    found: dict[bytes, DoubleVote] = {}
    for index, raw in log.entries_by_kind("approval", 0, log.covered):
        vote = read_vote(raw)
        if vote is None:
            continue
        place, manifest = first.setdefault(vote.previous, (index, vote.manifest))
        if manifest != vote.manifest:
            found.setdefault(vote.previous, DoubleVote(log.member, log.origin, place, index))
    return list(found.values())
