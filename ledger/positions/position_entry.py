"""The Position entry: its bytes, and what they hold (protocol, 7)."""

from __future__ import annotations

from dataclasses import dataclass, field

from plimsoll.v1 import entry_pb2

from ledger.chain.entries import parse_entry
from ledger.crypto.elgamal import Ciphertext
from ledger.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class PositionEntry:
    """A sound Position entry; its points and its proof are not verified.

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
        """Reads a sound entry. Raises InvalidInput for any other and for another kind."""
        message = parse_entry(entry)
        if message.WhichOneof("kind") != "position":
            raise InvalidInput("BAD_ENTRY", "not a Position")
        position = message.position
        return cls(
            message.time,
            position.label,
            position.epoch,
            position.as_of,
            None if position.closed else _ciphertext(position),
            position.records_digest,
            position.sealed,
        )


def _ciphertext(position: entry_pb2.Position) -> Ciphertext:
    return Ciphertext(position.nonce_point, tuple(position.bodies), position.proof)
