"""The Position entry: its bytes, and what they hold (protocol, 7)."""

from __future__ import annotations

from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from plimsoll.v1 import entry_pb2

from ledger.elgamal import Ciphertext
from ledger.errors import InvalidInput
from ledger.fields import FIELDS
from ledger.group import SIZE
from ledger.labels import LABEL_SIZE
from ledger.schnorr import PROOF_SIZE
from ledger.sealed import OVERHEAD
from ledger.sealed_copy import SIZES

DIGEST_SIZE = 32
SEALED_SIZES = frozenset(size + OVERHEAD for size in SIZES)


@dataclass(frozen=True, slots=True)
class PositionEntry:
    """A well-formed Position entry; its proof is not verified.

    time: Unix seconds by the author's clock. label: 16 bytes. epoch: of the keys. as_of: days since 1970-01-01.
    ciphertext: None where closed. records_digest: 32 bytes. sealed: the author's own copy.
    """

    time: int
    label: bytes = field(repr=False)
    epoch: int
    as_of: int
    ciphertext: Ciphertext | None
    records_digest: bytes
    sealed: bytes = field(repr=False)

    @property
    def closed(self) -> bool:
        """Whether the author has no open loan left."""
        return self.ciphertext is None

    def encode(self) -> bytes:
        """The entry's bytes."""
        position = entry_pb2.Position(
            label=self.label,
            epoch=self.epoch,
            as_of=self.as_of,
            closed=self.ciphertext is None,
            records_digest=self.records_digest,
            sealed=self.sealed,
        )
        if self.ciphertext is not None:
            position.nonce_point = self.ciphertext.nonce_point
            position.bodies.extend(self.ciphertext.bodies)
            position.proof = self.ciphertext.proof
        return entry_pb2.Entry(time=self.time, position=position).SerializeToString(deterministic=True)

    @classmethod
    def parse(cls, entry: bytes) -> PositionEntry:
        """Reads an entry. Raises InvalidInput for another kind or a field of the wrong size."""
        message = entry_pb2.Entry()
        try:
            message.ParseFromString(entry)
        except DecodeError as error:
            raise InvalidInput("BAD_ENTRY", "not an entry") from error
        if message.WhichOneof("kind") != "position":
            raise InvalidInput("BAD_ENTRY", "not a Position")
        position = message.position
        _check(len(position.label) == LABEL_SIZE, "label")
        _check(len(position.records_digest) == DIGEST_SIZE, "records_digest")
        _check(len(position.sealed) in SEALED_SIZES, "sealed")
        return cls(
            message.time,
            position.label,
            position.epoch,
            position.as_of,
            _ciphertext(position),
            position.records_digest,
            position.sealed,
        )


def _ciphertext(position: entry_pb2.Position) -> Ciphertext | None:
    bodies = tuple(position.bodies)
    if position.closed:
        _check(not (position.nonce_point or bodies or position.proof), "closed")
        return None
    _check(len(position.nonce_point) == SIZE, "nonce_point")
    _check(len(bodies) == len(FIELDS) and all(len(body) == SIZE for body in bodies), "bodies")
    _check(len(position.proof) == PROOF_SIZE, "proof")
    return Ciphertext(position.nonce_point, bodies, position.proof)


def _check(good: bool, path: str) -> None:
    if not good:
        raise InvalidInput("BAD_ENTRY", "a Position does not have such a field", f"position.{path}")
