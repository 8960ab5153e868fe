"""Pseudonym keys: the VOPRF of RFC 9497 (mode 1, ristretto255-SHA512) with a shared key (protocol section 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from tests.second.group import (
    G,
    L,
    Point,
    combine,
    element,
    from_uniform,
    lagrange_at_zero,
    proof_scalars,
    scalar_bytes,
)
from tests.second.refusal import require

CONTEXT = b"OPRFV1-\x01-ristretto255-SHA512"


def expand_message_xmd(message: bytes, tag: bytes, length: int) -> bytes:
    """RFC 9380, section 5.3.1, with SHA-512."""
    tag_prime = tag + bytes([len(tag)])
    head = hashlib.sha512(bytes(128) + message + length.to_bytes(2, "big") + b"\0" + tag_prime).digest()
    block = hashlib.sha512(head + b"\1" + tag_prime).digest()
    out = block
    for counter in range(2, -(-length // 64) + 1):
        mixed = bytes(a ^ b for a, b in zip(head, block, strict=True))
        block = hashlib.sha512(mixed + bytes([counter]) + tag_prime).digest()
        out += block
    return out[:length]


def hash_to_group(message: bytes) -> Point:
    return from_uniform(expand_message_xmd(message, b"HashToGroup-" + CONTEXT, 64))


def hash_to_scalar(message: bytes, tag: bytes = b"HashToScalar-") -> int:
    return int.from_bytes(expand_message_xmd(message, tag + CONTEXT, 64), "little") % L


def derive_key(seed: bytes, info: bytes) -> int:
    """RFC 9497, section 3.2.1."""
    material = seed + _short(info)
    for counter in range(256):
        key = hash_to_scalar(material + bytes([counter]), b"DeriveKeyPair")
        if key:
            return key
    raise AssertionError("happens with a probability of 2^-64000")


def blinded(identity: bytes, blind: int) -> Point:
    return blind * hash_to_group(identity)


def _short(part: bytes) -> bytes:
    return len(part).to_bytes(2, "big") + part


def _composites(key: Point, asked: Sequence[bytes], answered: Sequence[bytes]) -> list[int]:
    seed = hashlib.sha512(_short(key.encoded) + _short(b"Seed-" + CONTEXT)).digest()
    return [
        hash_to_scalar(_short(seed) + number.to_bytes(2, "big") + _short(a) + _short(z) + b"Composite")
        for number, (a, z) in enumerate(zip(asked, answered, strict=True))
    ]


def check_evaluation(public_share: Point, asked: Sequence[bytes], answered: Sequence[bytes], proof: bytes) -> None:
    """VerifyProof of RFC 9497, section 2.2.2, over a whole batch."""
    require(1 <= len(asked) <= 4096 and len(asked) == len(answered), "BAD_BATCH")
    weights = _composites(public_share, asked, answered)
    m = combine(zip(weights, map(element, asked), strict=True))
    z = combine(zip(weights, map(element, answered), strict=True))
    c, s = proof_scalars(proof)
    t2 = combine([(s, G), (c, public_share)])
    t3 = combine([(s, m), (c, z)])
    transcript = b"".join(_short(part.encoded) for part in (public_share, m, z, t2, t3))
    require(hash_to_scalar(transcript + b"Challenge") == c, "BAD_EVALUATION")


def prove_evaluation(key: int, public: Point, asked: Sequence[bytes], answered: Sequence[bytes], nonce: int) -> bytes:
    """GenerateProof of RFC 9497, section 2.2.1, for the vectors that give the nonce."""
    weights = _composites(public, asked, answered)
    m = combine(zip(weights, map(element, asked), strict=True))
    z = key * m
    parts = (public, m, z, nonce * G, nonce * m)
    c = hash_to_scalar(b"".join(_short(part.encoded) for part in parts) + b"Challenge")
    return scalar_bytes(c) + scalar_bytes(nonce - c * key)


def combined(evaluations: Mapping[int, Point]) -> Point:
    """Z from t custodians' Z_j."""
    return combine((lagrange_at_zero(j, evaluations), z) for j, z in evaluations.items())


def finalize(identity: bytes, blind: int, evaluation: Point) -> bytes:
    """The pseudonym key K_b, 64 bytes."""
    unblinded = pow(blind, L - 2, L) * evaluation
    return hashlib.sha512(_short(identity) + _short(unblinded.encoded) + b"Finalize").digest()
