"""Heads (C2SP tlog-checkpoint) and receipts (C2SP tlog-proof) of one log (protocol section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tests.second import merkle, note
from tests.second.refusal import Refused, require

NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z", re.ASCII)


@dataclass(frozen=True)
class Head:
    origin: str
    size: int
    root: bytes
    cosigned: dict[note.Key, int]


def number(text: str) -> int:
    require(NUMBER.match(text) and int(text) < 1 << 63, "MALFORMED", "number")
    return int(text)


def _hash(text: str) -> bytes:
    raw = note.strict_base64(text)
    require(len(raw) == 32, "MALFORMED", "hash")
    return raw


def open_head(raw: bytes, log_key: note.Key, cosigners: Iterable[note.Key] = ()) -> Head:
    """The log's own key, whose name is the origin, must have signed; cosignatures are extra."""
    parsed, _ = note.parse(raw)
    lines = parsed.split("\n")
    require(len(lines) == 4, "MALFORMED", "three lines and no extension")
    origin, size, root = lines[0], number(lines[1]), _hash(lines[2])
    require(origin and not any(c.isspace() or c == "+" for c in origin), "MALFORMED", "origin")
    require(size > 0 or root == merkle.EMPTY_ROOT, "MALFORMED", "an empty tree has one root")
    opened = note.open_note(raw, [log_key, *cosigners])
    require(log_key in opened.verified and origin == log_key.name, "UNVERIFIED", "not this log's")
    return Head(origin, size, root, {key: time for key, time in opened.verified.items() if time is not None})


def open_receipt(raw: bytes, entry: bytes, log_key: note.Key, cosigners: Iterable[note.Key] = ()) -> tuple[int, Head]:
    """The entry's index, and the head under which it stands."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("MALFORMED", "not UTF-8") from error
    proof, blank, signed_head = text.partition("\n\n")
    lines = proof.split("\n")
    require(blank and len(lines) >= 2 and lines[0] == "c2sp.org/tlog-proof@v1", "MALFORMED", "first line")
    require(lines[1].startswith("index "), "MALFORMED", "index line")
    index, path = number(lines[1].removeprefix("index ")), [_hash(line) for line in lines[2:]]
    head = open_head(signed_head.encode(), log_key, cosigners)
    rebuilt = merkle.root_from_inclusion(index, head.size, merkle.leaf_hash(entry), path)
    require(rebuilt == head.root, "UNVERIFIED", "the path leads elsewhere")
    return index, head
