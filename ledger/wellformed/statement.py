"""What a proof is about: one entry of one author, under one set of keys and edges (protocol, 20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.crypto import group
from ledger.crypto.elgamal import LABEL_SIZE
from ledger.crypto.group import Point
from ledger.crypto.hashing import Part, wide_digest
from ledger.errors import InvalidInput
from ledger.positions.bands import Bands
from ledger.positions.fields import FIELDS
from ledger.positions.position_entry import PositionEntry
from ledger.tlog.merkle import leaf_hash

DOMAIN = "plimsoll/v1/wellformed"
_HASH_SIZE = 32


@dataclass(frozen=True, slots=True)
class Statement:
    """As received; `check` makes it fit for a proof.

    consortium, leaf: 32 bytes. epoch: the entry's. public_keys: X_f by field number. label: 16 bytes. leaf: the leaf
    hash of the entry. nonce_point: R. bodies: C_f by field number. bands: the edges of the manifest's policy.
    """

    consortium: bytes
    epoch: int
    public_keys: tuple[Point, ...] = field(repr=False)
    member: str
    label: bytes = field(repr=False)
    leaf: bytes
    nonce_point: bytes = field(repr=False)
    bodies: tuple[bytes, ...] = field(repr=False)
    bands: Bands = field(repr=False)

    @classmethod
    def of_entry(
        cls, consortium: bytes, public_keys: Sequence[Point], member: str, entry: bytes, bands: Bands
    ) -> Statement:
        """That this Position entry of `member` is well-formed. Raises InvalidInput for another kind or a closed one."""
        position = PositionEntry.parse(entry)
        sealed = position.ciphertext
        if sealed is None:
            raise InvalidInput("CLOSED", "a closed position has no ciphertext to prove anything about")
        place = (member, position.label, leaf_hash(entry), sealed.nonce_point, sealed.bodies)
        return cls(consortium, position.epoch, tuple(public_keys), *place, bands)

    def check(self) -> None:
        """Raises InvalidInput with the path of what is malformed: sizes, points that are not canonical, identities."""
        for name, value, size in (("consortium", self.consortium, _HASH_SIZE), ("leaf", self.leaf, _HASH_SIZE)):
            _check_length(len(value), size, name)
        _check_length(len(self.label), LABEL_SIZE, "label")
        _check_length(len(self.public_keys), len(FIELDS), "public_keys")
        _check_length(len(self.bodies), len(FIELDS), "bodies")
        for f, key in enumerate(self.public_keys):
            group.decode_point(key, f"public_keys[{f}]")
        group.decode_point(self.nonce_point, "nonce_point")
        for f, body in enumerate(self.bodies):
            group.decode_point(body, f"bodies[{f}]", allow_identity=True)

    def digest(self) -> bytes:
        """64 bytes that bind all of it; of the bands the edges of outstanding, as no other edge is proved about."""
        edges = self.bands.outstanding
        place: tuple[Part, ...] = (self.consortium, self.epoch, self.member, self.label, self.leaf, self.nonce_point)
        keys: tuple[Part, ...] = (len(self.public_keys), *self.public_keys)
        bodies: tuple[Part, ...] = (len(self.bodies), *self.bodies)
        return wide_digest(DOMAIN, *place, *keys, *bodies, len(edges), *edges)


def _check_length(length: int, wanted: int, path: str) -> None:
    if length != wanted:
        raise InvalidInput("BAD_LENGTH", f"must have length {wanted}", path)
