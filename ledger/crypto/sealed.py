"""Sealing for oneself: what a member keeps secret on its own disk or in its own log.

ChaCha20Poly1305 (RFC 8439) under a key derived for this purpose and context alone, both of which are authenticated too,
so that a box opens only in the place it was sealed for. A box is nonce (12) || ciphertext || tag (16).
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from ledger.crypto.hashing import Part, derive, frame, mac
from ledger.errors import InvalidInput, Unverified

KEY_SIZE = 32
NONCE_SIZE = 12
TAG_SIZE = 16
OVERHEAD = NONCE_SIZE + TAG_SIZE
_NONCE_DOMAIN = "plimsoll/v1/seal-nonce"


def seal(key: bytes, purpose: str, context: tuple[Part, ...], plaintext: bytes, rng: Callable[[int], bytes]) -> bytes:
    """A box of len(plaintext) + 28 bytes. `key` is 32 uniform bytes, `purpose` a domain string ("plimsoll/v1/..").

    The nonce is hedged (design, section 6): a cloned machine whose randomness repeats still never encrypts two
    plaintexts under one. Raises InvalidInput for a key of another length.
    """
    box_key = _box_key(key, purpose, context)
    aad = frame(purpose, *context)
    nonce = mac(box_key, _NONCE_DOMAIN, rng(32), plaintext)[:NONCE_SIZE]
    return nonce + ChaCha20Poly1305(box_key).encrypt(nonce, plaintext, aad)


def open_sealed(key: bytes, purpose: str, context: tuple[Part, ...], box: bytes) -> bytes:
    """The plaintext. Raises InvalidInput for what is too short to be a box, Unverified where the tag does not fit key,
    purpose, context and bytes."""
    if len(box) < OVERHEAD:
        raise InvalidInput("BAD_LENGTH", f"a sealed box has at least {OVERHEAD} bytes")
    cipher = ChaCha20Poly1305(_box_key(key, purpose, context))
    try:
        return cipher.decrypt(box[:NONCE_SIZE], box[NONCE_SIZE:], frame(purpose, *context))
    except InvalidTag:
        raise Unverified("BAD_SEAL", "sealed data was altered, or belongs to another key or place") from None


def _box_key(key: bytes, purpose: str, context: tuple[Part, ...]) -> bytes:
    if len(key) != KEY_SIZE:
        raise InvalidInput("BAD_LENGTH", f"a sealing key has {KEY_SIZE} bytes")
    return derive(key, purpose, *context)
