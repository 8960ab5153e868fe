"""Keys and labels of one borrower, and the search for the newest (protocol section 6)."""

from __future__ import annotations

from collections.abc import Callable

from tests.second.framing import derive, digest, mac

POSITION, INQUIRY = "position", "inquiry"
NUMBERS = 1 << 32


def query_key(pseudonym_key: bytes) -> bytes:
    return derive(pseudonym_key, "plimsoll/v1/query-key")


def dispute_key(pseudonym_key: bytes) -> bytes:
    return derive(pseudonym_key, "plimsoll/v1/dispute-key")


def label_key(from_query_key: bytes) -> bytes:
    return derive(from_query_key, "plimsoll/v1/label-key")


def inquiry_key(from_query_key: bytes) -> bytes:
    return derive(from_query_key, "plimsoll/v1/inquiry-key")


def label(key: bytes, kind: str, member: str, number: int) -> bytes:
    return mac(key, "plimsoll/v1/label", kind, member, number)[:16]


def challenge(origin: str, index: int, leaf: bytes) -> bytes:
    """Of a Challenge of the position there (section 19)."""
    return digest("plimsoll/v1/challenge", origin, index, leaf)[:16]


def answer(leaf: bytes) -> bytes:
    """Of the answer to it."""
    return digest("plimsoll/v1/challenge-answer", leaf)[:16]


def newest(place: Callable[[int], int | None], size: int) -> int | None:
    """The page's search; `place` gives a number's index in the whole log, or None."""

    def has(number: int) -> bool:
        if number >= NUMBERS:
            return False
        index = place(number)
        return index is not None and index < size

    if not has(0):
        return None
    low, high = 0, 1
    while has(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if has(middle):
            low = middle
        else:
            high = middle
    return low
