"""RFC 9497, section 2.2: the proof that one key k stands between A and B = k A, and between every C_i and D_i = k C_i.

A proof is c || s, 64 bytes. Custodians use it with A = G, B = k_j G, C the blinded and D the evaluated elements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from ledger.crypto import group, schnorr
from ledger.crypto.group import Point, Scalar
from ledger.crypto.oprf import CONTEXT, check_batch, hash_to_scalar, prefixed
from ledger.errors import InvalidInput

NONCE_DOMAIN = "plimsoll/v1/evaluation-nonce"


def hedged_nonce(key: Scalar, randomness: bytes, blinded: Sequence[Point]) -> Scalar:
    """The nonce r for `generate_proof`, out of the key and 32 fresh bytes (design, section 6)."""
    return group.hedged_scalar(NONCE_DOMAIN, key, randomness, len(blinded), *blinded)


def generate_proof(
    key: Scalar, a: Point, b: Point, blinded: Sequence[Point], evaluated: Sequence[Point], nonce: Scalar
) -> bytes:
    """GenerateProof of section 2.2.1 with the random scalar r handed in: fresh, secret, never used again."""
    m, z = compute_composites_fast(key, b, blinded, evaluated)
    challenge = _challenge(b, m, z, group.mul(nonce, a), group.mul(nonce, m))
    return schnorr.respond(challenge, key, nonce)


def verify_proof(
    a: Point, b: Point, blinded: Sequence[Point], evaluated: Sequence[Point], proof: bytes, path: str = ""
) -> None:
    """VerifyProof of section 2.2.2, over decoded points. Raises InvalidInput for a malformed proof, else Unverified."""
    challenge, response = schnorr.split(proof, path)
    m, z = compute_composites(b, blinded, evaluated)
    t2 = group.lincomb((response, challenge), (a, b))
    t3 = group.lincomb((response, challenge), (m, z))
    schnorr.check(challenge, _challenge(b, m, z, t2, t3), path)


def compute_composites(b: Point, blinded: Sequence[Point], evaluated: Sequence[Point]) -> tuple[Point, Point]:
    """ComputeComposites of section 2.2.2: (M, Z)."""
    weights = list(_weights(b, blinded, evaluated))
    return group.lincomb(weights, blinded), group.lincomb(weights, evaluated)


def compute_composites_fast(
    key: Scalar, b: Point, blinded: Sequence[Point], evaluated: Sequence[Point]
) -> tuple[Point, Point]:
    """ComputeCompositesFast of section 2.2.1: the same for whoever holds the key, in half the time."""
    m = group.lincomb(list(_weights(b, blinded, evaluated)), blinded)
    return m, group.mul(key, m)


def _weights(b: Point, blinded: Sequence[Point], evaluated: Sequence[Point]) -> Iterator[Scalar]:
    check_batch(blinded)
    if len(blinded) != len(evaluated):
        raise InvalidInput("BAD_BATCH", "there must be one evaluated element for each blinded one")
    seed = hashlib.sha512(prefixed(b) + prefixed(b"Seed-" + CONTEXT)).digest()
    for i, (c, d) in enumerate(zip(blinded, evaluated, strict=True)):
        yield hash_to_scalar(prefixed(seed) + i.to_bytes(2, "big") + prefixed(c) + prefixed(d) + b"Composite")


def _challenge(b: Point, m: Point, z: Point, t2: Point, t3: Point) -> Scalar:
    return hash_to_scalar(b"".join(map(prefixed, (b, m, z, t2, t3))) + b"Challenge")
