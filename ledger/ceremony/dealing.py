"""One dealer's part of a key ceremony (protocol, section 5.2): eight polynomials, committed to and dealt out.

A *bundle* is one receiver's share of all eight coordinates: their values at the receiver's index, 8 times 32 bytes.
What a hostile dealer may try, and what stops it:

- a key made out of the others' (A' = aG - sum of theirs), so that it alone knows the sum: `verify` asks for proof that
  it knows the logarithm of its own constant term, bound to ceremony, dealer and coordinate, so no proof can be copied;
- in a resharing, another secret than the share it holds: its constant terms must be its public share;
- more coefficients than t, so that t shares do not suffice, or fewer, so that less do: their number is checked;
- shares off its polynomials: `check_bundle` holds each against the commitments (Feldman).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ledger.ceremony import share_sealing
from ledger.crypto import group, schnorr, shamir
from ledger.crypto.group import SIZE, Point, Scalar
from ledger.crypto.hashing import digest, frame
from ledger.errors import InvalidInput, Unverified
from ledger.keys import COORDINATES

POSSESSION_DOMAIN = "plimsoll/v1/possession"
POSSESSION_NONCE_DOMAIN = "plimsoll/v1/possession-nonce"
SHARE_DOMAIN = "plimsoll/v1/share"
COMMITMENTS_DOMAIN = "plimsoll/v1/commitments"
BUNDLE_SIZE = COORDINATES * SIZE
SEALED_SIZE = BUNDLE_SIZE + share_sealing.OVERHEAD

Commitments = tuple[tuple[Point, ...], ...]


@dataclass(frozen=True, slots=True)
class Dealing:
    """As published by dealer `dealer` (1..n) in `ceremony` (32 bytes): only `verify` makes it count.

    commitments: per coordinate as many points as the receivers' threshold, constant term first. possessions: per
    coordinate a proof of 64 bytes. sealed_shares: the bundle of receiver j, sealed, at place j - 1.
    """

    ceremony: bytes
    dealer: int
    commitments: tuple[tuple[bytes, ...], ...]
    possessions: tuple[bytes, ...]
    sealed_shares: tuple[bytes, ...] = field(repr=False)

    def seal_info(self, receiver: int) -> bytes:
        """What HPKE binds the receiver's bundle to: all of its place, and the commitments it must fit."""
        points = [point for row in self.commitments for point in row]
        bound = digest(COMMITMENTS_DOMAIN, self.ceremony, self.dealer, len(points), *points)
        return frame(SHARE_DOMAIN, self.ceremony, self.dealer, receiver, bound)


def deal(
    ceremony: bytes,
    dealer: int,
    threshold: int,
    hpke_keys: Sequence[bytes],
    rng: Callable[[int], bytes],
    secrets: Iterable[Scalar] | None = None,
) -> tuple[Dealing, tuple[bytes, ...]]:
    """A fresh dealing to the holders of these checked keys, in receivers' order; and the bundles in it, secret.

    threshold: the receivers'. secrets: the eight constant terms, in a resharing the dealer's shares; random if None.
    """
    polynomials = [[group.random_scalar(rng) for _ in range(threshold)] for _ in range(COORDINATES)]
    if secrets is not None:
        polynomials = [[secret, *random[1:]] for secret, random in zip(secrets, polynomials, strict=True)]
    commitments = tuple(shamir.commit(polynomial) for polynomial in polynomials)
    possessions = tuple(
        _possess(ceremony, dealer, c, polynomial[0], rng(SIZE)) for c, polynomial in enumerate(polynomials)
    )
    receivers = range(1, len(hpke_keys) + 1)
    bundles = tuple(b"".join(shamir.evaluate(polynomial, j) for polynomial in polynomials) for j in receivers)
    bare = Dealing(ceremony, dealer, commitments, possessions, ())
    sealed = tuple(
        share_sealing.seal(key, bare.seal_info(j), bundle)
        for j, key, bundle in zip(receivers, hpke_keys, bundles, strict=True)
    )
    return Dealing(ceremony, dealer, commitments, possessions, sealed), bundles


def verify(dealing: Dealing, threshold: int, receivers: int, constants: Sequence[Point] | None = None) -> None:
    """Raises InvalidInput or Unverified unless the dealing is of the right shape and its dealer knows what it deals.

    threshold: the receivers'. constants: what the eight constant terms must be, in a resharing the dealer's public
    share; None where they are the dealer's choice.
    """
    _check_shape(dealing, threshold, receivers)
    if constants is not None and tuple(row[0] for row in dealing.commitments) != tuple(constants):
        raise Unverified("OTHER_SHARE", "what is dealt is not the share that its dealer holds", "coordinates")
    for c, row in enumerate(dealing.commitments):
        path = f"coordinates[{c}]"
        for k, raw in enumerate(row):
            # Only the constant term may not be the identity: a higher coefficient may well be zero.
            group.decode_point(raw, f"{path}.commitments[{k}]", allow_identity=k > 0)
        context = (dealing.ceremony, dealing.dealer, c)
        schnorr.verify(POSSESSION_DOMAIN, context, row[0], dealing.possessions[c], f"{path}.possession")


def unseal_bundle(dealing: Dealing, receiver: int, private: bytes) -> bytes:
    """The receiver's bundle out of a verified dealing, checked. Raises Unverified or InvalidInput: then complain."""
    sealed = dealing.sealed_shares[receiver - 1]
    bundle = share_sealing.unseal(private, dealing.seal_info(receiver), sealed)
    check_bundle(dealing.commitments, receiver, bundle)
    return bundle


def check_bundle(commitments: Commitments, receiver: int, bundle: bytes) -> None:
    """Raises InvalidInput or Unverified unless the bundle is what a verified dealing commits to for this receiver."""
    for row, share in zip(commitments, split_bundle(bundle), strict=True):
        shamir.verify_share(share, receiver, row)


def split_bundle(bundle: bytes) -> tuple[bytes, ...]:
    """Its eight scalars. Raises InvalidInput."""
    if len(bundle) != BUNDLE_SIZE:
        raise InvalidInput("BAD_LENGTH", f"a share of all coordinates must be {BUNDLE_SIZE} bytes", "shares")
    parts = (bundle[at : at + SIZE] for at in range(0, BUNDLE_SIZE, SIZE))
    return tuple(group.decode_scalar(part, f"shares[{c}]") for c, part in enumerate(parts))


def _possess(ceremony: bytes, dealer: int, coordinate: int, secret: bytes, randomness: bytes) -> bytes:
    context = (ceremony, dealer, coordinate)
    nonce = group.hedged_scalar(POSSESSION_NONCE_DOMAIN, secret, randomness, *context)
    return schnorr.prove(POSSESSION_DOMAIN, context, secret, nonce)


def _check_shape(dealing: Dealing, threshold: int, receivers: int) -> None:
    shamir.check_index(dealing.dealer, "dealer")
    for name, rows in (("commitments", dealing.commitments), ("possessions", dealing.possessions)):
        if len(rows) != COORDINATES:
            raise InvalidInput("BAD_LENGTH", f"there must be {COORDINATES} coordinates", name)
    for c, row in enumerate(dealing.commitments):
        if len(row) != threshold:
            raise InvalidInput("BAD_LENGTH", f"there must be {threshold} commitments", f"coordinates[{c}].commitments")
    if len(dealing.sealed_shares) != receivers:
        raise InvalidInput("BAD_LENGTH", f"there must be {receivers} sealed shares", "sealed_shares")
    for j, sealed in enumerate(dealing.sealed_shares):
        if len(sealed) != SEALED_SIZE:
            raise InvalidInput("BAD_LENGTH", f"a sealed share is {SEALED_SIZE} bytes", f"sealed_shares[{j}]")
