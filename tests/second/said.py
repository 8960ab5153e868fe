"""What entries say that can be checked without any borrower's key (protocol section 24, A5 and A8 to A10)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.second import labels, merkle, position, selection, wellformed, witness
from tests.second.ceremony import Keys
from tests.second.entry import Entry
from tests.second.refusal import Refused, require
from tests.second.shelf import OneLog, Shelf
from tests.second.wellformed import Statement

SPREAD = 600
MOST_VOID, MOST_CHALLENGES = 16, 256


# -- evidence


def accuse(shelf: Shelf) -> None:
    """Freezes the logs of which two histories are shown."""
    for held in shelf.logs.values():
        valid: set[str] = set()
        void = 0
        for entry in held.entries("evidence"):
            if entry.body.origin in valid:
                continue
            try:
                accused = shelf.logs.get(entry.body.origin)
                require(accused, "UNKNOWN_LOG", entry.body.origin)
                assert accused is not None
                witness.evidence(entry.body, accused.key)
            except Refused as refused:
                void += 1
                if void <= MOST_VOID:
                    shelf.find(held.member, entry.index, refused)
            else:
                valid.add(entry.body.origin)
                _convict(shelf, accused, entry.body)


def _convict(shelf: Shelf, accused: OneLog, message: Any) -> None:
    if accused.ended is None and not accused.frozen:
        shelf.find(accused.member, None, Refused("FORK", accused.name))
    accused.frozen = True
    if all(_is_witnessed(shelf, accused, raw) for raw in (message.known, message.conflicting)):
        shelf.find(accused.member, None, Refused("CONFLICTING_WITNESSES", accused.name))


def _is_witnessed(shelf: Shelf, held: OneLog, raw: bytes) -> bool:
    try:
        return shelf.opened(held, raw).witnessed is not None
    except Refused:
        return False


# -- positions


def prove(shelf: Shelf, keys: Keys) -> int:
    """Checks the proof of every position; how many there are."""
    public, count = tuple(keys.public[1:]), 0
    for held in shelf.logs.values():
        for entry in held.entries("position"):
            body, count = entry.body, count + 1
            try:
                require(1 <= body.epoch <= shelf.current.epoch, "WRONG_EPOCH")
                if not body.closed:
                    place = (shelf.current.founding, body.epoch, held.member, body.label, public)
                    position.checked(*place, body.nonce_point, tuple(body.bodies), body.proof)
            except Refused as refused:
                shelf.find(held.member, entry.index, refused)
    return count


# -- inquiries


def compare(shelf: Shelf) -> Counter[tuple[str, str]]:
    """Holds inquiries against the heads that they name: by log, how many were "checked" and could not be
    ("unchecked")."""
    counts: Counter[tuple[str, str]] = Counter()
    for held in shelf.logs.values():
        for entry in held.entries("inquiry"):
            if held.ended is None or entry.index < held.ended.size:
                counts[held.name, _inquiry(shelf, held, entry)] += 1
    return counts


def _inquiry(shelf: Shelf, held: OneLog, entry: Entry) -> str:
    sizes = entry.body.sizes
    named = next((one for one in shelf.manifests if one.id == entry.body.manifest), None)
    if named is None or len(named.members) != len(sizes):
        return "void"
    used = [(shelf.logs[named.origin(name)], size) for name, size in zip(named.names, sizes, strict=True)]
    if any(_is_nowhere(log, size, entry.time) for log, size in used):
        shelf.find(held.member, entry.index, Refused("NO_SUCH_SIZE"))
        return "wrong"
    heads = []
    for log, size in used:
        root = merkle.EMPTY_ROOT if not size else None if log.in_doubt or log.frozen else log.root(size)
        if root is None:
            return "unchecked"
        heads.append((log.key.name, size, root))
    if selection.heads_digest(heads) != entry.body.heads_digest:
        shelf.find(held.member, entry.index, Refused("OTHER_HEADS"))
    return "checked"


def _is_nowhere(log: OneLog, size: int, time: int) -> bool:
    if log.in_doubt or log.frozen or log.ended is not None:
        return False
    largest = max((claim.head.size for claim in log.claims), default=0)
    newest = max((c for c in log.claims if c.witnessed is not None), key=lambda c: c.head.size, default=None)
    return size > largest and newest is not None and (newest.witnessed or 0) > time + SPREAD


# -- challenges


def challenges(shelf: Shelf, keys: Keys | None) -> list[tuple[str, int, str]]:
    """Of every log's newest ones: by whom, at which index, and whether it is "void", "open" or "answered"."""
    return [
        (held.member, entry.index, _challenged(shelf, keys, held, entry))
        for held in shelf.logs.values()
        for entry in list(held.entries("challenge"))[-MOST_CHALLENGES:]
    ]


def _challenged(shelf: Shelf, keys: Keys | None, by: OneLog, entry: Entry) -> str:
    body = entry.body
    author = shelf.logs.get(body.origin)
    if author is None or author.member == by.member or author.log is None or body.index >= len(author.log):
        return "void"
    record = author.log.entries[body.index]
    if record is None or record.kind != "position" or record.body.closed or record.leaf != body.leaf_hash:
        return "void"
    return "answered" if keys and _is_answered(shelf, keys, author.member, record) else "open"


def _is_answered(shelf: Shelf, keys: Keys, member: str, record: Entry) -> bool:
    for held in shelf.logs.values():
        place = held.log.places.get(labels.answer(record.leaf)) if held.log else None
        if held.member == member and held.log is not None and place is not None:
            found = held.log.at(place)
            return found.kind == "challenge_answer" and _is_wellformed(shelf, keys, member, record, found.body.proof)
    return False


def _is_wellformed(shelf: Shelf, keys: Keys, member: str, record: Entry, proof: bytes) -> bool:
    edges = tuple(edge * shelf.current.minor_per_major for edge in shelf.current.policy["bands"])
    body, public = record.body, tuple(key.encoded for key in keys.public[1:])
    place = (shelf.current.founding, body.epoch, member, body.label, record.leaf, body.nonce_point)
    try:
        wellformed.verify(Statement(*place, public, tuple(body.bodies), edges), proof)
    except Refused:
        return False
    return True
