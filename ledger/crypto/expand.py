"""expand_message_xmd with SHA-512 (RFC 9380, section 5.3.1), for the 64 bytes RFC 9497 asks of it."""

from __future__ import annotations

import hashlib

from ledger.errors import InvalidInput

OUTPUT_SIZE = 64
_BLOCK_SIZE = 128  # s_in_bytes of SHA-512


def expand_message(message: bytes, tag: bytes) -> bytes:
    """64 uniform bytes for `message` under the domain separation tag, at most 255 bytes (else InvalidInput).

    64 bytes are one output of SHA-512 (ell = 1), so the chain of the RFC ends with b_1.
    """
    if len(tag) > 255:
        raise InvalidInput("BAD_LENGTH", "a domain separation tag has at most 255 bytes")
    tag_prime = tag + bytes([len(tag)])
    first = hashlib.sha512(bytes(_BLOCK_SIZE) + message + OUTPUT_SIZE.to_bytes(2, "big") + b"\x00" + tag_prime)
    return hashlib.sha512(first.digest() + b"\x01" + tag_prime).digest()
