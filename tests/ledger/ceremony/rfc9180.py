"""HPKE (RFC 9180) written from the RFC for tests: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305.

Unlike the library's it takes the sender's ephemeral key, so that what it makes can be the same in every run.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")
HPKE_SUITE = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0003))


def public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal(receiver: bytes, info: bytes, plaintext: bytes, ephemeral: bytes, aad: bytes = b"") -> bytes:
    """SealBase of section 6.1: enc || ct."""
    enc = public(ephemeral)
    key, nonce = key_schedule(shared_secret(ephemeral, receiver, enc + receiver), info)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)


def unseal(private: bytes, info: bytes, sealed: bytes, aad: bytes = b"") -> bytes:
    """OpenBase of section 6.1."""
    enc, ciphertext = sealed[:32], sealed[32:]
    key, nonce = key_schedule(shared_secret(private, enc, enc + public(private)), info)
    return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, aad)


def shared_secret(private: bytes, peer: bytes, kem_context: bytes) -> bytes:
    """ExtractAndExpand of section 4.1."""
    dh = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(peer))
    return _expand(_extract(b"", b"eae_prk", dh, KEM_SUITE), b"shared_secret", kem_context, 32, KEM_SUITE)


def key_schedule(secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """KeySchedule of section 5.1 in mode base: key and base nonce."""
    psk_id_hash = _extract(b"", b"psk_id_hash", b"", HPKE_SUITE)
    context = b"\x00" + psk_id_hash + _extract(b"", b"info_hash", info, HPKE_SUITE)
    prk = _extract(secret, b"secret", b"", HPKE_SUITE)
    return _expand(prk, b"key", context, 32, HPKE_SUITE), _expand(prk, b"base_nonce", context, 12, HPKE_SUITE)


def _extract(salt: bytes, label: bytes, ikm: bytes, suite: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def _expand(prk: bytes, label: bytes, info: bytes, length: int, suite: bytes) -> bytes:
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    assert length <= hashlib.sha256().digest_size
    return hmac.digest(prk, labeled + b"\x01", "sha256")[:length]
