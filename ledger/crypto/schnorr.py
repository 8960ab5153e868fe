"""Proofs of knowledge of a discrete logarithm (Schnorr, made non-interactive by Fiat and Shamir).

A proof is challenge || response, 64 bytes. The challenge hashes the statement and everything the proof is for, so a
proof made for one purpose, place or party is worth nothing at another.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from ledger.crypto import group
from ledger.crypto.group import SIZE, Point, Scalar
from ledger.crypto.hashing import Part
from ledger.errors import InvalidInput, Unverified

PROOF_SIZE = 2 * SIZE


def prove(domain: str, context: Sequence[Part], secret: Scalar, nonce: Scalar) -> bytes:
    """That the maker knows `secret`, the logarithm of secret * G. `nonce` is secret, hedged and never used again."""
    challenge = group.hash_to_scalar(domain, *context, group.mul_base(secret), group.mul_base(nonce))
    return respond(challenge, secret, nonce)


def verify(domain: str, context: Sequence[Part], public: Point, proof: bytes, path: str = "") -> None:
    """Raises InvalidInput for a malformed proof, Unverified for a false one. `public` must not be the identity."""
    challenge, commitment = reopen(public, proof, path)
    check(challenge, group.hash_to_scalar(domain, *context, public, commitment), path)


def respond(challenge: Scalar, secret: Scalar, nonce: Scalar) -> bytes:
    """The proof: challenge || nonce - challenge * secret."""
    return challenge + group.scalar_sub(nonce, group.scalar_mul(challenge, secret))


def reopen(public: Point, proof: bytes, path: str = "") -> tuple[Scalar, Point]:
    """The proof's challenge and the commitment T = s G + c P that its maker must have had."""
    if public == group.IDENTITY:
        raise InvalidInput("IDENTITY_POINT", "the identity element proves nothing", path)
    challenge, response = split(proof, path)
    return challenge, group.add(group.mul_base(response), group.mul(challenge, public))


def split(proof: bytes, path: str = "") -> tuple[Scalar, Scalar]:
    """Challenge and response, both canonical. Raises InvalidInput."""
    if len(proof) != PROOF_SIZE:
        raise InvalidInput("BAD_LENGTH", f"a proof must be {PROOF_SIZE} bytes", path)
    return group.decode_scalar(proof[:SIZE], path), group.decode_scalar(proof[SIZE:], path)


def check(claimed: Scalar, recomputed: Scalar, path: str = "") -> None:
    """Raises Unverified unless the challenge in the proof is the one its transcript gives."""
    if not hmac.compare_digest(claimed, recomputed):
        raise Unverified("BAD_PROOF", "the proof does not hold for this statement", path)
