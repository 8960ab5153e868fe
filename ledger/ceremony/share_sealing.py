"""Shares sealed to their receivers: HPKE (RFC 9180) in base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
ChaCha20Poly1305, single shot.

What a share belongs to goes into `info`, hence into the key schedule (RFC 9180, section 5.1): a ciphertext moved to
another ceremony, dealer, receiver or set of commitments does not open. Keys are raw, 32 bytes. The library draws the
ephemeral key from the system's generator and takes none from outside, so a dealing's bytes differ from run to run.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from ledger.errors import InvalidInput, Unverified

KEY_SIZE = 32
OVERHEAD = 48  # encapsulated key (32) and tag (16)


def generate_key(rng: Callable[[int], bytes]) -> bytes:
    """A fresh private key: any 32 bytes are one (RFC 7748, section 5)."""
    return rng(KEY_SIZE)


def public_key(private: bytes) -> bytes:
    """The public half. Raises InvalidInput for a key of another length."""
    return _private(private).public_key().public_bytes_raw()


def check_public_key(raw: bytes, path: str = "") -> None:
    """Raises InvalidInput unless something can be sealed to this key: 32 bytes, not of small order.

    Diffie-Hellman with a point of small order gives zero whatever the secret (RFC 7748, section 6.1), so any secret
    tells; HPKE refuses that result (RFC 9180, section 7.1.4), which would stop honest dealers.
    """
    if len(raw) != KEY_SIZE:
        raise InvalidInput("BAD_LENGTH", f"an X25519 key must be {KEY_SIZE} bytes", path)
    try:
        _private(bytes(KEY_SIZE)).exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError as error:
        raise InvalidInput("SMALL_ORDER", "nothing can be sealed to an X25519 key of small order", path) from error


def seal(receiver: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Encapsulated key || ciphertext || tag, to a checked public key."""
    return _suite().encrypt(plaintext, X25519PublicKey.from_public_bytes(receiver), info)


def unseal(private: bytes, info: bytes, sealed: bytes) -> bytes:
    """The plaintext. Raises Unverified where it was not sealed to this key for exactly this `info`."""
    try:
        return _suite().decrypt(sealed, _private(private), info)
    except InvalidTag as error:
        raise Unverified("SEALED_SHARE", "the sealed share does not open") from error


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def _private(raw: bytes) -> X25519PrivateKey:
    if len(raw) != KEY_SIZE:
        raise InvalidInput("BAD_LENGTH", f"an X25519 key must be {KEY_SIZE} bytes")
    return X25519PrivateKey.from_private_bytes(raw)
