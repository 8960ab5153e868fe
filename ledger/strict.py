"""The two text forms every log format is built of, read strictly: decimal numbers and base64.

Python's own readers are lenient (log-formats, "Traps in Python"): int() takes "+5", "1_0" and Arabic digits, and
b64decode drops junk or accepts non-zero trailing bits. What is read here has exactly one spelling.
"""

from __future__ import annotations

import base64
import binascii
import re

from ledger.errors import InvalidInput

_DECIMAL = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_DECIMAL_DIGITS = 20  # of 2^64 - 1; longer text is refused before int() spends time on it


def parse_decimal(text: str, path: str, maximum: int = (1 << 63) - 1) -> int:
    """An integer in 0 .. maximum without sign, leading zeros or separators. Raises InvalidInput."""
    if len(text) > _DECIMAL_DIGITS or _DECIMAL.fullmatch(text) is None:
        raise InvalidInput("BAD_DECIMAL", "not a decimal number in its shortest form", path)
    value = int(text)
    if value > maximum:
        raise InvalidInput("BAD_DECIMAL", f"number is above {maximum}", path)
    return value


def encode_base64(raw: bytes) -> str:
    """Standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(raw).decode("ascii")


def decode_base64(text: str, path: str) -> bytes:
    """The bytes behind standard base64 with padding, of which `text` is the only spelling. Raises InvalidInput."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("BAD_BASE64", "not base64", path) from error
    if encode_base64(raw) != text:  # RFC 4648 section 3.5: non-zero trailing bits
        raise InvalidInput("BAD_BASE64", "not the canonical base64 of its bytes", path)
    return raw
