"""RFC 9180, base mode, single shot: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305, empty aad."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.second.framing import hkdf_expand, hkdf_extract
from tests.second.refusal import Refused

KEM_SUITE = b"KEM\x00\x20"
SUITE = b"HPKE\x00\x20\x00\x01\x00\x03"


def _extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hkdf_extract(salt, b"HPKE-v1" + suite + label + secret)


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return hkdf_expand(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def _context(shared: bytes, encapsulated: bytes, recipient: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Key and nonce: sections 4.1 and 5.1."""
    prk = _extract(KEM_SUITE, b"", b"eae_prk", shared)
    secret = _expand(KEM_SUITE, prk, b"shared_secret", encapsulated + recipient, 32)
    schedule = b"\0" + _extract(SUITE, b"", b"psk_id_hash", b"") + _extract(SUITE, b"", b"info_hash", info)
    master = _extract(SUITE, secret, b"secret", b"")
    return _expand(SUITE, master, b"key", schedule, 32), _expand(SUITE, master, b"base_nonce", schedule, 12)


def small_order(public: bytes) -> bool:
    """RFC 7748, section 6.1: whether every shared secret with this key is zero."""
    try:
        X25519PrivateKey.from_private_bytes(bytes(32)).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        return True
    return False


def open_sealed(private: bytes, sealed: bytes, info: bytes) -> bytes:
    """`sealed` is the encapsulated key, then the ciphertext. Refuses with BAD_SHARE."""
    own = X25519PrivateKey.from_private_bytes(private)
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(sealed[:32]))
        key, nonce = _context(shared, sealed[:32], own.public_key().public_bytes_raw(), info)
        return ChaCha20Poly1305(key).decrypt(nonce, sealed[32:], b"")
    except (ValueError, InvalidTag) as error:
        raise Refused("BAD_SHARE") from error


def seal(ephemeral: bytes, public: bytes, plaintext: bytes, info: bytes) -> bytes:
    own = X25519PrivateKey.from_private_bytes(ephemeral)
    encapsulated = own.public_key().public_bytes_raw()
    shared = own.exchange(X25519PublicKey.from_public_bytes(public))
    key, nonce = _context(shared, encapsulated, public, info)
    return encapsulated + ChaCha20Poly1305(key).encrypt(nonce, plaintext, b"")
