"""Frames and what is made of them (protocol section 1)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from tests.second.group import L

# An integer, a byte string, a text, or a list of these: lists may hold lists.
Part = Any


def frame(*parts: Part) -> bytes:
    return b"".join(map(_framed, parts))


def _framed(part: Part) -> bytes:
    if isinstance(part, int):
        return part.to_bytes(8, "big")
    if isinstance(part, str):
        part = part.encode()
    if isinstance(part, bytes):
        return len(part).to_bytes(8, "big") + part
    return len(part).to_bytes(8, "big") + frame(*part)


def digest(domain: str, *parts: Part) -> bytes:
    return hashlib.sha256(frame(domain, *parts)).digest()


def wide(domain: str, *parts: Part) -> bytes:
    return hashlib.sha512(frame(domain, *parts)).digest()


def mac(key: bytes, domain: str, *parts: Part) -> bytes:
    return hmac.digest(key, frame(domain, *parts), "sha256")


def derive(key: bytes, domain: str, *parts: Part) -> bytes:
    return hkdf_expand(key, frame(domain, *parts), 32)


def to_scalar(domain: str, *parts: Part) -> int:
    return int.from_bytes(wide(domain, *parts), "little") % L


def hkdf_extract(salt: bytes, secret: bytes) -> bytes:
    """RFC 5869, section 2.2."""
    return hmac.digest(salt or bytes(32), secret, "sha256")


def hkdf_expand(key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, section 2.3."""
    out, block = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        out += block
    return out[:length]
