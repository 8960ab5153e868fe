"""Encryption of a position: vector ElGamal with one nonce, and a proof of knowledge of that nonce (design, section 6).

R = r G and C_f = r X_f + m_f G for every field f. Ciphertexts under one epoch's keys add up field by field. Without the
proof a member could publish another's ciphertext, scaled, as its own and read the other's amounts out of a sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.crypto import group, schnorr
from ledger.crypto.group import Point, Scalar
from ledger.crypto.hashing import Part
from ledger.errors import InvalidInput
from ledger.positions.fields import FIELDS

DOMAIN = "plimsoll/v1/encryption"
NONCE_DOMAIN = "plimsoll/v1/encryption-nonce"
PROOF_NONCE_DOMAIN = "plimsoll/v1/encryption-proof-nonce"
LABEL_SIZE = 16
PLAINTEXT_LIMIT = 2**48


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """As received: only `verify` makes it fit to be added up.

    nonce_point: R, 32 bytes. bodies: C_f by field number, 7 times 32 bytes. proof: 64 bytes.
    """

    nonce_point: bytes
    bodies: tuple[bytes, ...]
    proof: bytes


def hedged_nonces(secret: bytes, randomness: bytes, label: bytes, amounts: Sequence[int]) -> tuple[Scalar, Scalar]:
    """(r, u) for `encrypt`, out of a long-lived secret of the lender and 32 fresh bytes."""
    context: tuple[Part, ...] = (label, len(amounts), *amounts)
    return (
        group.hedged_scalar(NONCE_DOMAIN, secret, randomness, *context),
        group.hedged_scalar(PROOF_NONCE_DOMAIN, secret, randomness, *context),
    )


def encrypt(
    public_keys: Sequence[Point],
    amounts: Sequence[int],
    r: Scalar,
    u: Scalar,
    consortium: bytes,
    epoch: int,
    member: str,
    label: bytes,
) -> Ciphertext:
    """Encrypts one amount per field, in minor units or packed digits, 0 .. 2^48 - 1, under the X_f of `epoch`.

    r and u are fresh secret nonzero scalars (`hedged_nonces`); label is 16 bytes. Raises InvalidInput.
    """
    for name, scalar in (("r", r), ("u", u)):
        group.decode_scalar(scalar, name, nonzero=True)
    nonce_point, bodies = points_of(public_keys, amounts, r)
    statement = _statement(public_keys, consortium, epoch, member, label, nonce_point, bodies)
    challenge = group.hash_to_scalar(DOMAIN, *statement, group.mul_base(u))
    return Ciphertext(nonce_point, bodies, schnorr.respond(challenge, r, u))


def points_of(public_keys: Sequence[Point], amounts: Sequence[int], r: Scalar) -> tuple[Point, tuple[Point, ...]]:
    """(R, the C_f by field number) for one amount per field, 0 .. 2^48 - 1. Raises InvalidInput."""
    _check_count(len(public_keys), "public_keys")
    _check_count(len(amounts), "amounts")
    bodies = tuple(
        group.add(group.mul(r, key), group.mul_base(_plaintext(amount, f"amounts[{f}]")))
        for f, (key, amount) in enumerate(zip(public_keys, amounts, strict=True))
    )
    return group.mul_base(r), bodies


def verify(
    ciphertext: Ciphertext, public_keys: Sequence[Point], consortium: bytes, epoch: int, member: str, label: bytes
) -> None:
    """Raises InvalidInput for anything malformed, Unverified where the proof fails for just this place and author."""
    _check_count(len(public_keys), "public_keys")
    _check_count(len(ciphertext.bodies), "bodies")
    nonce_point = group.decode_point(ciphertext.nonce_point, "nonce_point")
    for f, body in enumerate(ciphertext.bodies):
        # A body may be the identity: r X_f = -m_f G is as likely as any other value.
        group.decode_point(body, f"bodies[{f}]", allow_identity=True)
    challenge, commitment = schnorr.reopen(nonce_point, ciphertext.proof, "proof")
    statement = _statement(public_keys, consortium, epoch, member, label, nonce_point, ciphertext.bodies)
    schnorr.check(challenge, group.hash_to_scalar(DOMAIN, *statement, commitment), "proof")


def sum_ciphertexts(ciphertexts: Iterable[Ciphertext]) -> tuple[Point, tuple[Point, ...]]:
    """(SR, SC_f by field number): the sums of verified ciphertexts. Raises InvalidInput for none."""
    verified = tuple(ciphertexts)
    if not verified:
        raise InvalidInput("NOTHING_TO_ADD", "there is no ciphertext to add up")
    bodies = zip(*(ciphertext.bodies for ciphertext in verified), strict=True)
    return group.sum_points(c.nonce_point for c in verified), tuple(group.sum_points(column) for column in bodies)


def _statement(
    keys: Sequence[Point], consortium: bytes, epoch: int, member: str, label: bytes, r: Point, bodies: Sequence[Point]
) -> tuple[Part, ...]:
    if len(label) != LABEL_SIZE:
        raise InvalidInput("BAD_LENGTH", f"a label must be {LABEL_SIZE} bytes", "label")
    return (consortium, epoch, member, label, r, len(keys), *keys, len(bodies), *bodies)


def _check_count(count: int, path: str) -> None:
    if count != len(FIELDS):
        raise InvalidInput("BAD_LENGTH", f"there must be {len(FIELDS)}, one per field", path)


def _plaintext(amount: int, path: str) -> Scalar:
    if not 0 <= amount < PLAINTEXT_LIMIT:
        raise InvalidInput("OUT_OF_RANGE", "a plaintext must be 0 or more and below 2^48", path)
    return amount.to_bytes(group.SIZE, "little")
