"""Writes labels.json: keys and labels of borrowers, and where searches end (protocol section 6).

    python -m tests.vectors.generate_labels

Made with hashlib and hmac alone, without the ledger's code. The same run gives the same bytes.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent


def frame(*parts: bytes | str | int) -> bytes:
    out = b""
    for part in parts:
        if isinstance(part, int):
            out += part.to_bytes(8, "big")
        else:
            raw = part.encode() if isinstance(part, str) else part
            out += len(raw).to_bytes(8, "big") + raw
    return out


def derive(key: bytes, domain: str) -> bytes:
    """HKDF-Expand of RFC 5869 for one block: T(1) = HMAC(PRK, info | 0x01)."""
    return hmac.digest(key, frame(domain) + b"\x01", sha256)


def labels(key: bytes, kind: str, member: str, numbers: list[int]) -> list[dict[str, object]]:
    return [
        {
            "kind": kind,
            "member": member,
            "number": number,
            "label": hmac.digest(key, frame("plimsoll/v1/label", kind, member, number), sha256)[:16].hex(),
        }
        for number in numbers
    ]


def borrower(pseudonym_key: bytes) -> dict[str, object]:
    query_key = derive(pseudonym_key, "plimsoll/v1/query-key")
    label_key = derive(query_key, "plimsoll/v1/label-key")
    inquiry_key = derive(query_key, "plimsoll/v1/inquiry-key")
    return {
        "pseudonym_key": pseudonym_key.hex(),
        "query_key": query_key.hex(),
        "dispute_key": derive(pseudonym_key, "plimsoll/v1/dispute-key").hex(),
        "label_key": label_key.hex(),
        "inquiry_key": inquiry_key.hex(),
        "entries": [
            *labels(label_key, "position", "lender-1", [0, 1, 2, 255, 2**32 - 1]),
            *labels(label_key, "position", "lender-2", [0]),
            *labels(inquiry_key, "inquiry", "lender-1", [0, 1]),
            *labels(inquiry_key, "inquiry", "银行", [0]),
        ],
    }


def newest(places: dict[int, int], size: int) -> int | None:
    """The protocol's pseudocode."""

    def has(n: int) -> bool:
        return n < 2**32 and n in places and places[n] < size

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


def search(size: int, *numbers: int, why: str) -> dict[str, object]:
    places = {number: 10 + place for place, number in enumerate(numbers)}
    return {
        "why": why,
        "size": size,
        "places": {str(number): place for number, place in places.items()},
        "newest": newest(places, size),
    }


SEARCHES = [
    search(100, why="nothing is there"),
    search(100, 0, why="one entry"),
    search(100, *range(13), why="gapless"),
    search(15, *range(13), why="the rest lies beyond the size"),
    search(10, 0, 1, why="all of it does"),
    search(100, 1, 2, 3, why="number 0 is missing"),
    search(100, 0, 1, 2, 3, 5, 6, 7, why="number 4 is missing: the doubling stops there"),
    search(100, 0, 1, 2, 4, 7, why="number 3 is missing, and is not asked for"),
    search(100, 0, *(1 << power for power in range(40)), why="no label exists from 2^32 on"),
]


def vectors() -> dict[str, object]:
    return {
        "borrowers": [borrower(bytes(range(64))), borrower(sha256(b"plimsoll").digest() * 2)],
        "searches": SEARCHES,
    }


if __name__ == "__main__":
    (FOLDER / "labels.json").write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
