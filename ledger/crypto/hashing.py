"""Domain-separated hashing (design section 6): one framing for every hash, HMAC and derived key of the protocol.

A frame is the concatenation of its parts; an int is 8 bytes big endian, a str its UTF-8 and bytes themselves, both
behind their length as 8 bytes big endian. The first part is always a domain string, so no two uses can collide.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

Part = bytes | str | int


def frame(*parts: Part) -> bytes:
    """The parts, unambiguously joined. Raises OverflowError for an int outside 0 .. 2^64 - 1."""
    out = bytearray()
    for part in parts:
        if isinstance(part, int):
            out += part.to_bytes(8, "big")
            continue
        raw = part.encode() if isinstance(part, str) else part
        out += len(raw).to_bytes(8, "big")
        out += raw
    return bytes(out)


def digest(domain: str, *parts: Part) -> bytes:
    """SHA-256 over the frame of domain and parts: 32 bytes."""
    return hashlib.sha256(frame(domain, *parts)).digest()


def wide_digest(domain: str, *parts: Part) -> bytes:
    """SHA-512 over the frame: 64 bytes, to be reduced to a scalar."""
    return hashlib.sha512(frame(domain, *parts)).digest()


def mac(key: bytes, domain: str, *parts: Part) -> bytes:
    """HMAC-SHA256 over the frame: 32 bytes."""
    return hmac.digest(key, frame(domain, *parts), "sha256")


def derive(key: bytes, domain: str, *parts: Part) -> bytes:
    """HKDF-Expand (RFC 5869, SHA-256) with the frame as info: 32 bytes. `key` must already be uniform."""
    return HKDFExpand(hashes.SHA256(), 32, frame(domain, *parts)).derive(key)
