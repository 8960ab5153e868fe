"""The keys the custodians share (design, section 5): eight coordinates, of which 0 is the OPRF key k and 1 + f is x_f.

`PublicKeys` is what the key ceremony leaves for everybody, `SecretShares` what it leaves with one custodian.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ledger.crypto import group
from ledger.crypto.group import SIZE, Point, Scalar
from ledger.errors import InvalidInput, Unverified
from ledger.positions.fields import FIELDS

COORDINATES = 1 + len(FIELDS)

_FORMAT = b"plimsoll/v1/secret-shares\n"
_NUMBER = 8  # bytes of an integer, big endian


@dataclass(frozen=True, slots=True)
class CustodianKeys:
    """One custodian's public shares. oprf: K_j. fields: X_{f,j} by field number."""

    oprf: Point
    fields: tuple[Point, ...]

    def __post_init__(self) -> None:
        _check_points(self)

    def __iter__(self) -> Iterator[Point]:
        """The eight coordinates in order."""
        yield self.oprf
        yield from self.fields


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """The public side of one key epoch.

    oprf: K. fields: X_f by field number. custodians: the public shares of custodian j = 1 .. n at place j - 1.
    None of these points is the identity.
    """

    epoch: int
    oprf: Point
    fields: tuple[Point, ...]
    custodians: tuple[CustodianKeys, ...]

    def __post_init__(self) -> None:
        _check_points(self)

    def __iter__(self) -> Iterator[Point]:
        """The eight coordinates of the keys themselves, in order."""
        yield self.oprf
        yield from self.fields

    def custodian(self, index: int) -> CustodianKeys:
        """The public shares of the custodian with this index, 1 .. n. Raises InvalidInput."""
        if not 1 <= index <= len(self.custodians):
            raise InvalidInput("BAD_INDEX", f"the custodians' indices are 1 to {len(self.custodians)}", "index")
        return self.custodians[index - 1]


@dataclass(frozen=True, slots=True)
class SecretShares:
    """What custodian `index` keeps secret in key epoch `epoch`. oprf: k_j. fields: x_{f,j} by field number."""

    epoch: int
    index: int
    oprf: Scalar = field(repr=False)
    fields: tuple[Scalar, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.fields) != len(FIELDS):
            raise InvalidInput("BAD_LENGTH", f"there must be {len(FIELDS)} field keys", "fields")
        for c, scalar in enumerate(self):
            group.decode_scalar(scalar, f"coordinates[{c}]")

    def __iter__(self) -> Iterator[Scalar]:
        """The eight coordinates in order."""
        yield self.oprf
        yield from self.fields

    def by_field(self) -> Mapping[int, Scalar]:
        """x_{f,j} by field number, as `decryption.decrypt` takes them."""
        return dict(enumerate(self.fields))

    def check_fit(self, keys: PublicKeys) -> None:
        """Raises Unverified unless these are the shares behind this custodian's public ones, in the same epoch."""
        if self.epoch != keys.epoch or not 1 <= self.index <= len(keys.custodians):
            raise Unverified("WRONG_EPOCH", "the secret shares are of another epoch or custodian")
        for secret, public in zip(self, keys.custodian(self.index), strict=True):
            if not hmac.compare_digest(group.mul_base(secret), public):
                raise Unverified("BAD_SHARE", "the secret shares do not fit the public keys")

    def to_bytes(self) -> bytes:
        """For encrypted storage only; `from_bytes` reads it."""
        numbers = self.epoch.to_bytes(_NUMBER, "big") + self.index.to_bytes(_NUMBER, "big")
        return _FORMAT + numbers + b"".join(self)

    @classmethod
    def from_bytes(cls, raw: bytes) -> SecretShares:
        """Reads what `to_bytes` wrote. Raises InvalidInput."""
        numbers = len(_FORMAT)
        scalars = numbers + 2 * _NUMBER
        if len(raw) != scalars + COORDINATES * SIZE or not raw.startswith(_FORMAT):
            raise InvalidInput("BAD_SHARES", "these are not the stored shares of a custodian")
        epoch = int.from_bytes(raw[numbers : numbers + _NUMBER], "big")
        index = int.from_bytes(raw[numbers + _NUMBER : scalars], "big")
        return cls.of(epoch, index, [raw[at : at + SIZE] for at in range(scalars, len(raw), SIZE)])

    @classmethod
    def of(cls, epoch: int, index: int, coordinates: Sequence[Scalar]) -> SecretShares:
        """Out of the eight coordinates in order."""
        return cls(epoch, index, coordinates[0], tuple(coordinates[1:]))


def public_keys(epoch: int, keys: Sequence[Point], shares: Sequence[Sequence[Point]]) -> PublicKeys:
    """Out of the eight coordinates of the keys and of each custodian's public share. Raises InvalidInput."""
    custodians = tuple(CustodianKeys(share[0], tuple(share[1:])) for share in shares)
    return PublicKeys(epoch, keys[0], tuple(keys[1:]), custodians)


def _check_points(points: CustodianKeys | PublicKeys) -> None:
    if len(points.fields) != len(FIELDS):
        raise InvalidInput("BAD_LENGTH", f"there must be {len(FIELDS)} field keys", "fields")
    for c, point in enumerate(points):
        group.decode_point(point, f"coordinates[{c}]")
