"""Witnessed heads, and evidence of forks (protocol section 18)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.second import head, merkle, note
from tests.second.refusal import require


def cosigner_key(origin: str, public: bytes) -> note.Key:
    """`origin` is that of the cosigner's own log."""
    return note.Key(f"{origin}/cosigner", note.COSIGNATURE, public)


def witnessed(raw: bytes, author: note.Key, cosigners: Sequence[note.Key], own: int) -> tuple[head.Head, int]:
    """The head, and when it was witnessed. cosigners: of all members in order; own: the author's place among them."""
    opened = head.open_head(raw, author, cosigners)
    others = [key for place, key in enumerate(cosigners) if place != own]
    times = sorted(opened.cosigned[key] for key in others if key in opened.cosigned)
    needed = len(cosigners) // 2 + 1
    require(len(times) >= needed, "NOT_WITNESSED", f"{len(times)} of {needed}")
    return opened, times[needed - 1]


def evidence(message: Any, key: note.Key) -> tuple[head.Head, head.Head]:
    """The two heads that this log's author has signed although they are not of one history."""
    require(message.origin == key.name, "UNVERIFIED", "another log")
    first, second = (head.open_head(raw, key) for raw in (message.known, message.conflicting))
    require((first.size, first.root) < (second.size, second.root), "UNVERIFIED", "order")
    path = list(message.consistency)
    if first.size == second.size:
        require(not message.old_root and not path, "UNVERIFIED", "a proof where none is needed")
    else:
        require(first.size > 0 and len(message.old_root) == 32, "UNVERIFIED", "no root to part from")
        merkle.check_consistency(first.size, second.size, message.old_root, second.root, path)
        require(message.old_root != first.root, "UNVERIFIED", "one history")
    return first, second
