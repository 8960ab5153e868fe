"""Which records are left out because they were challenged and not proved well-formed (protocol, 19).

A pure function of the trees that an inquiry fixes. It must be hard to abuse from both sides:

- a Challenge counts up to a size that was witnessed a day before the inquiry: its own time, which its author may lie
  about, decides nothing, and the challenged author has had that day;
- of one challenger only the newest few count, so that nobody can be buried under more challenges than it can answer;
- an answer is looked for in the tree of the author that the inquiry fixes, and its proof is checked by everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ledger import wellformed
from ledger.cache import Cache
from ledger.chain.entries import answer_label, challenge_label
from ledger.chain.logview import LogView
from ledger.challenges.challenge import Challenge, ChallengeAnswer
from ledger.consortium.manifest import Manifest
from ledger.crypto.group import Point
from ledger.errors import InvalidInput, Unverified
from ledger.positions.bands import Bands
from ledger.queries.selection import Tree
from ledger.tlog import merkle
from ledger.wellformed import Statement

MAX_COUNTED = 256  # of one log: the newest


@dataclass(frozen=True, slots=True)
class Challenger:
    """The log that a member writes under the inquiry's manifest. size: of its tree. settled: below which a Challenge
    counts, at most size."""

    member: str
    log: LogView
    size: int
    settled: int


class Prover:
    """Checks proofs that records are well-formed, each once. Several threads may use one."""

    def __init__(
        self, consortium: bytes, public_keys: Sequence[Point], verdicts: Cache[tuple[str, bytes, bytes], bool]
    ) -> None:
        """public_keys: X_f by field number. verdicts: by author, leaf hash of the record and hash of the proof."""
        self._consortium = consortium
        self._public_keys = tuple(public_keys)
        self._verdicts = verdicts

    def is_wellformed(self, member: str, entry: bytes, proof: bytes, bands: Bands) -> bool:
        """Whether the proof shows this Position entry of this member to be well-formed; 40 ms the first time."""
        key = (member, merkle.leaf_hash(entry), merkle.leaf_hash(proof))
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._verify(member, entry, proof, bands)
            self._verdicts.put(key, verdict)
        return verdict

    def _verify(self, member: str, entry: bytes, proof: bytes, bands: Bands) -> bool:
        try:
            statement = Statement.of_entry(self._consortium, self._public_keys, member, entry, bands)
            wellformed.verify(statement, proof)
        except (InvalidInput, Unverified):
            return False
        return True


def bands_of(manifest: Manifest) -> Bands:
    """The edges that records are held to; the same under every manifest of a consortium."""
    policy = manifest.policy
    return Bands.from_major(policy.bands, policy.overdue_bands, manifest.minor_per_major)


class Doubts:
    """The challenges that count in one inquiry."""

    def __init__(self, challengers: Sequence[Challenger], prover: Prover, bands: Bands) -> None:
        """challengers: of every member; those whose log has nothing settled may be left out."""
        self._challengers = [one for one in challengers if one.settled]
        self._prover = prover
        self._bands = bands

    def leave_out(self, tree: Tree, place: int, entry: bytes) -> bool:
        """Whether the record at this place of its author's record is challenged and not answered."""
        if not self._challengers:
            return False
        origin, index = tree.located(place)
        leaf = merkle.leaf_hash(entry)
        label = challenge_label(origin, index, leaf)
        others = (one for one in self._challengers if one.member != tree.member)
        if not any(_counts(one, label, origin, index, leaf) for one in others):
            return False
        return not self._is_answered(tree, leaf, entry)

    def _is_answered(self, tree: Tree, leaf: bytes, entry: bytes) -> bool:
        place = tree.log.find(answer_label(leaf))
        if place is None or place >= tree.size:
            return False
        try:
            answer = ChallengeAnswer.parse(tree.log.entry(place))
        except InvalidInput:
            return False
        return answer.leaf == leaf and self._prover.is_wellformed(tree.member, entry, answer.proof, self._bands)


def _counts(by: Challenger, label: bytes, origin: str, index: int, leaf: bytes) -> bool:
    place = by.log.find(label)
    if place is None or place >= by.settled:
        return False
    try:
        challenge = Challenge.parse(by.log.entry(place))
    except InvalidInput:
        return False
    newer = islice(by.log.entries_by_kind("challenge", place + 1, by.size), MAX_COUNTED)
    return challenge.names(origin, index, leaf) and sum(1 for _ in newer) < MAX_COUNTED
