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


class Shown:
    """What members show of one log ("Overdue"). cosigners: of all members in order; own: the author's place."""

    def __init__(self, author: note.Key, cosigners: Sequence[note.Key], own: int) -> None:
        self.author, self.cosigners, self.own = author, cosigners, own
        self.largest: dict[int, tuple[head.Head, int]] = {}

    def take(self, by: int, raw: bytes) -> tuple[head.Head, int] | None:
        """The head that is witnessed by what was shown so far, of those that this one is about, and when it was."""
        require(by != self.own, "OWN_LOG", "the author's line counts for nothing")
        key = self.cosigners[by]
        body, _, lines = raw.decode().rpartition("\n\n")
        mine = [line for line in lines.splitlines() if line.split(" ")[1] in (self.author.name, key.name)]
        require(any(line.split(" ")[1] == key.name for line in mine), "NOT_COSIGNED", key.name)
        opened = head.open_head(f"{body}\n\n{''.join(line + chr(10) for line in mine)}".encode(), self.author, [key])
        require(key in opened.cosigned, "NOT_COSIGNED", key.name)
        if by not in self.largest or opened.size > self.largest[by][0].size:
            self.largest[by] = opened, opened.cosigned[key]
        place = (opened.size, opened.root)
        times = sorted(time for shown, time in self.largest.values() if (shown.size, shown.root) == place)
        needed = len(self.cosigners) // 2 + 1
        return (opened, times[needed - 1]) if len(times) >= needed else None


def turn(heartbeat: int, gossip: int, members: int, author: int, time: int) -> tuple[int, int, int, int]:
    """Seconds of a quarter, the turn's number, its quarter and its speaker's place."""
    seconds = 2 * max(heartbeat, gossip * ((members - 1 + 7) // 8))
    quarters = time // seconds
    return seconds, quarters // 4, quarters % 4, (author + 1 + quarters // 4 % (members - 1)) % members


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
