"""The bytes of a proof: commitments, then the steps, all of fixed size (protocol, 20)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.crypto import group
from ledger.crypto.group import SIZE, Point, Scalar
from ledger.errors import InvalidInput, Unverified
from ledger.wellformed.steps import BAND_EDGES, BIT_STEPS, LINKS, PROOF_SIZE, BitStep


@dataclass(frozen=True, slots=True)
class BitAnswer:
    """Of one bit: the challenge of the branch "it is 0", and both branches' responses."""

    challenge: Scalar
    zero: Scalar
    one: Scalar


@dataclass(frozen=True, slots=True)
class StepAnswers:
    """The challenge of a bit step, and the answers of its bits in order."""

    challenge: Scalar
    bits: tuple[BitAnswer, ...]


@dataclass(frozen=True, slots=True)
class EdgesAnswer:
    """The challenge of BAND_EDGES and its response."""

    challenge: Scalar
    response: Scalar


@dataclass(frozen=True, slots=True)
class LinkAnswer:
    """The challenge of a link and its responses for r, for the plaintext and for the commitment's blinding."""

    challenge: Scalar
    nonce: Scalar
    plaintext: Scalar
    blinding: Scalar


@dataclass(frozen=True, slots=True)
class Proof:
    """All points are canonical and none is the identity, all scalars are canonical. Nothing is verified.

    commitments: per bit step those that are sent.
    """

    commitments: tuple[tuple[Point, ...], ...] = field(repr=False)
    steps: tuple[StepAnswers, ...] = field(repr=False)
    edges: EdgesAnswer = field(repr=False)
    links: tuple[LinkAnswer, ...] = field(repr=False)

    def encode(self) -> bytes:
        out = [point for step in self.commitments for point in step]
        for step in self.steps:
            out.append(step.challenge)
            for bit in step.bits:
                out += (bit.challenge, bit.zero, bit.one)
        out += (self.edges.challenge, self.edges.response)
        for link in self.links:
            out += (link.challenge, link.nonce, link.plaintext, link.blinding)
        return b"".join(out)

    @classmethod
    def parse(cls, raw: bytes) -> Proof:
        """Raises Unverified: LENGTH, or the step in which something is not canonical."""
        if len(raw) != PROOF_SIZE:
            raise Unverified("LENGTH", f"a proof has {PROOF_SIZE} bytes", "proof")
        reader = _Reader(raw)
        commitments = tuple(tuple(reader.point(step.name) for _ in range(step.sent)) for step in BIT_STEPS)
        steps = tuple(_read_step(reader, step) for step in BIT_STEPS)
        edges = EdgesAnswer(*reader.scalars(BAND_EDGES, 2))
        return cls(commitments, steps, edges, tuple(LinkAnswer(*reader.scalars(name, 4)) for name in LINKS))


def _read_step(reader: _Reader, step: BitStep) -> StepAnswers:
    (challenge,) = reader.scalars(step.name, 1)
    return StepAnswers(challenge, tuple(BitAnswer(*reader.scalars(step.name, 3)) for _ in range(step.bits)))


class _Reader:
    """Takes one point or scalar after the other off bytes that are long enough."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def point(self, step: str) -> Point:
        try:
            return group.decode_point(self._take())
        except InvalidInput as error:
            raise Unverified(step, f"a commitment of this step is {error.message}", "proof") from error

    def scalars(self, step: str, count: int) -> list[Scalar]:
        try:
            return [group.decode_scalar(self._take()) for _ in range(count)]
        except InvalidInput as error:
            raise Unverified(step, f"a number of this step is {error.message}", "proof") from error

    def _take(self) -> bytes:
        self._at += SIZE
        return self._raw[self._at - SIZE : self._at]
