"""RFC 9497 and its expand_message_xmd (RFC 9380) from their text, over rfc9496.py: what the ledger is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha512

from tests.ledger.rfc9496 import BASE, IDENTITY, Coordinates, L, add, decode, encode, from_uniform, mul

SUITE = b"OPRFV1-\x01-ristretto255-SHA512"


def expand(message: bytes, tag: bytes, size: int = 64) -> bytes:
    """expand_message_xmd with SHA-512, any size (RFC 9380, section 5.3.1)."""
    tag += bytes([len(tag)])
    first = sha512(bytes(128) + message + size.to_bytes(2, "big") + b"\0" + tag).digest()
    block, out = bytes(64), b""
    for number in range(1, -(-size // 64) + 1):
        block = sha512(bytes(a ^ b for a, b in zip(first, block, strict=True)) + bytes([number]) + tag).digest()
        out += block
    return out[:size]


def hash_to_group(message: bytes) -> bytes:
    """HashToGroup of RFC 9497, section 4.1."""
    return encode(from_uniform(expand(message, b"HashToGroup-" + SUITE)))


def hash_to_scalar(message: bytes) -> int:
    """HashToScalar of RFC 9497, section 4.1."""
    return int.from_bytes(expand(message, b"HashToScalar-" + SUITE), "little") % L


def proof(key: int, blinded: Sequence[bytes], evaluated: Sequence[bytes], nonce: int) -> bytes:
    """GenerateProof(key, G, key G, blinded, evaluated) of RFC 9497, section 2.2.1, with its random scalar handed in."""
    public = encode(mul(key, BASE))
    seed = sha512(_prefixed(public, b"Seed-" + SUITE)).digest()
    m: Coordinates = IDENTITY
    for i, (c, d) in enumerate(zip(blinded, evaluated, strict=True)):
        weight = hash_to_scalar(_prefixed(seed) + i.to_bytes(2, "big") + _prefixed(c, d) + b"Composite")
        point = decode(c)
        assert point is not None
        m = add(m, mul(weight, point))
    points = [encode(p) for p in (m, mul(key, m), mul(nonce, BASE), mul(nonce, m))]
    challenge = hash_to_scalar(_prefixed(public, *points) + b"Challenge")
    return challenge.to_bytes(32, "little") + ((nonce - challenge * key) % L).to_bytes(32, "little")


def _prefixed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)
