"""The entries Challenge and ChallengeAnswer (protocol, 19)."""

from __future__ import annotations

from dataclasses import dataclass, field

from plimsoll.v1 import entry_pb2

from ledger.chain.entries import answer_label, challenge_label, parse_entry
from ledger.errors import InvalidInput
from ledger.positions.position_entry import PositionEntry
from ledger.tlog.merkle import leaf_hash


@dataclass(frozen=True, slots=True)
class Challenge:
    """A sound Challenge: the position at `index` of the log `origin`, of this leaf hash (32 bytes), is doubted.

    time: Unix seconds by the challenger's clock; nothing depends on it.
    """

    time: int
    origin: str
    index: int
    leaf: bytes

    @property
    def label(self) -> bytes:
        """Under which it is filed in its author's log."""
        return challenge_label(self.origin, self.index, self.leaf)

    def names(self, origin: str, index: int, leaf: bytes) -> bool:
        """Whether it is about this position."""
        return (self.origin, self.index, self.leaf) == (origin, index, leaf)

    def encode(self) -> bytes:
        """The entry's bytes."""
        message = entry_pb2.Challenge(origin=self.origin, index=self.index, leaf_hash=self.leaf)
        return entry_pb2.Entry(time=self.time, challenge=message).SerializeToString(deterministic=True)

    @classmethod
    def parse(cls, entry: bytes) -> Challenge:
        """Reads a sound entry. Raises InvalidInput for any other and for another kind."""
        message = parse_entry(entry)
        if message.WhichOneof("kind") != "challenge":
            raise InvalidInput("BAD_ENTRY", "not a Challenge")
        named = message.challenge
        return cls(message.time, named.origin, named.index, named.leaf_hash)


@dataclass(frozen=True, slots=True)
class ChallengeAnswer:
    """A sound ChallengeAnswer: what is to prove that the position of this leaf hash is well-formed."""

    time: int
    leaf: bytes
    proof: bytes = field(repr=False)

    @property
    def label(self) -> bytes:
        """Under which it is filed in its author's log."""
        return answer_label(self.leaf)

    def encode(self) -> bytes:
        """The entry's bytes."""
        message = entry_pb2.ChallengeAnswer(leaf_hash=self.leaf, proof=self.proof)
        return entry_pb2.Entry(time=self.time, challenge_answer=message).SerializeToString(deterministic=True)

    @classmethod
    def parse(cls, entry: bytes) -> ChallengeAnswer:
        """Reads a sound entry. Raises InvalidInput for any other and for another kind."""
        message = parse_entry(entry)
        if message.WhichOneof("kind") != "challenge_answer":
            raise InvalidInput("BAD_ENTRY", "not a ChallengeAnswer")
        answer = message.challenge_answer
        return cls(message.time, answer.leaf_hash, answer.proof)


def is_challengeable(entry: bytes, leaf: bytes) -> bool:
    """Whether this is the entry of that leaf hash, and an open position: a challenge that names any other is void."""
    if leaf_hash(entry) != leaf:
        return False
    try:
        return not PositionEntry.parse(entry).closed
    except InvalidInput:
        return False
