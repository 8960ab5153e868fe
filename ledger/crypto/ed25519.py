"""Which Ed25519 public keys are accepted (RFC 8032 section 5.1.3, and stricter).

Verifiers differ on public keys that are not canonically encoded, of small order, or outside the prime-order subgroup:
the same signature passes one and fails another. Such keys are refused where keys enter (design section 4, "Traps").
All inputs are public, so nothing here needs constant time. Signing and verifying are the `cryptography` package's.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.errors import InvalidInput

SEED_SIZE = 32
PUBLIC_KEY_SIZE = 32
SIGNATURE_SIZE = 64

_P = (1 << 255) - 19
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_ORDER = (1 << 252) + 27742317777372353535851937790883648493

_Point = tuple[int, int, int, int]  # extended coordinates X, Y, Z, T: x = X/Z, y = Y/Z, xy = T/Z (section 5.1.4)
_IDENTITY: _Point = (0, 1, 1, 0)


def check_ed25519_public_key(raw: bytes, path: str) -> None:
    """Refuses a key that is not the canonical encoding of a point of prime order. About 2 ms. Raises InvalidInput."""
    if len(raw) != PUBLIC_KEY_SIZE:
        raise InvalidInput("BAD_PUBLIC_KEY", "an Ed25519 public key is 32 bytes", path)
    point = _decode(raw, path)
    if _is_identity(_times(8, point)):
        raise InvalidInput("BAD_PUBLIC_KEY", "the point has small order: anyone can sign for it", path)
    if not _is_identity(_times(_ORDER, point)):
        raise InvalidInput("BAD_PUBLIC_KEY", "the point is outside the prime-order subgroup", path)


def private_key(seed: bytes) -> Ed25519PrivateKey:
    """The private key of 32 secret bytes (RFC 8032 section 5.1.5). Raises InvalidInput."""
    if len(seed) != SEED_SIZE:
        raise InvalidInput("BAD_SEED", "an Ed25519 seed is 32 bytes", "seed")
    return Ed25519PrivateKey.from_private_bytes(seed)


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """Its public key: 32 raw bytes."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def signature_is_valid(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether this is an Ed25519 signature (RFC 8032 section 5.1.7) of the message."""
    if len(signature) != SIGNATURE_SIZE or len(public_key) != PUBLIC_KEY_SIZE:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _decode(raw: bytes, path: str) -> _Point:
    """RFC 8032 section 5.1.3, but either of the two x: a point and its negative have the same order."""
    encoded = int.from_bytes(raw, "little")
    sign, y = encoded >> 255, encoded & ((1 << 255) - 1)
    if y >= _P:
        raise InvalidInput("BAD_PUBLIC_KEY", "the encoding is not canonical: y is not below 2^255 - 19", path)
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P != u:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if v * x * x % _P != u:
        raise InvalidInput("BAD_PUBLIC_KEY", "no point of the curve has this encoding", path)
    if x == 0 and sign:
        raise InvalidInput("BAD_PUBLIC_KEY", "the encoding is not canonical: x is 0 but its sign is set", path)
    return x, y, 1, x * y % _P


def _times(scalar: int, point: _Point) -> _Point:
    """scalar * point, by double and add from the top digit."""
    result = _IDENTITY
    for digit in bin(scalar)[2:]:
        result = _add(result, result)
        if digit == "1":
            result = _add(result, point)
    return result


def _add(left: _Point, right: _Point) -> _Point:
    """The complete addition of RFC 8032 section 5.1.4."""
    x1, y1, z1, t1 = left
    x2, y2, z2, t2 = right
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * _D * t1 * t2 % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _is_identity(point: _Point) -> bool:
    x, y, z, _ = point
    return x % _P == 0 and (y - z) % _P == 0
