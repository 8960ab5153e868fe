"""Entries as a reader takes them; one not of its kind's shape is as if it were not there (protocol section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from plimsoll.v1 import entry_pb2

from tests.second import labels, merkle

SEALED = {12 + padded + 16 for padded in (512, 2048, 8192, 32768)}
SHARES = 8
PURPOSES = range(1, 6)
MOST_ELEMENTS = 4096
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# Number of the kind, number of its field.
DEALINGS_COORDINATES, INQUIRYS_NUMBERS = (11, 3), ((3, 7), (3, 9), (3, 10), (3, 11))


@dataclass(frozen=True)
class Entry:
    raw: bytes
    index: int
    time: int
    kind: str
    # The message of that kind.
    body: Any

    @property
    def leaf(self) -> bytes:
        return merkle.leaf_hash(self.raw)

    @property
    def label(self) -> bytes | None:
        if self.kind == "challenge":
            return labels.challenge(self.body.origin, self.body.index, self.body.leaf_hash)
        if self.kind == "challenge_answer":
            return labels.answer(self.body.leaf_hash)
        return self.body.label if self.kind in ("position", "inquiry") else None


def _all(values: Any, size: int) -> bool:
    return all(len(value) == size for value in values)


def _position(body: Any) -> bool:
    points = (len(body.nonce_point), len(body.bodies), len(body.proof))
    return (
        _all([body.label], 16)
        and _all([body.records_digest], 32)
        and len(body.sealed) in SEALED
        and _all(body.bodies, 32)
        and points == ((0, 0, 0) if body.closed else (32, 7, 64))
    )


def _dealing(body: Any) -> bool:
    lengths = {len(c.commitments) for c in body.coordinates}
    return (
        _all([body.ceremony, body.readies_digest], 32)
        and len(body.coordinates) == SHARES
        and len(lengths) == 1
        and lengths != {0}
        and all(_all(c.commitments, 32) and len(c.possession) == 64 for c in body.coordinates)
        and len(body.sealed_shares) > 0
        and _all(body.sealed_shares, 32 + 32 * SHARES + 16)
    )


def _inquiry(body: Any) -> bool:
    hashes = [body.consent_digest, body.manifest, body.heads_digest]
    frozen, conflicting = list(body.frozen), list(body.conflicting)
    return (
        len(body.label) == 16
        and _all(hashes, 32)
        and body.purpose in PURPOSES
        and len(body.sizes) > 0
        and sorted(set(frozen)) == frozen
        and all(place < len(body.sizes) for place in frozen)
        and sorted(set(conflicting)) == conflicting
        and set(conflicting) <= set(frozen)
        and len(body.settled) in (0, len(body.sizes))
        and all(settled <= size for settled, size in zip(body.settled, body.sizes, strict=False))
    )


def _evidence(body: Any) -> bool:
    return (
        1 <= len(body.known) <= 16_384
        and 1 <= len(body.conflicting) <= 16_384
        and len(body.old_root) in (0, 32)
        and len(body.consistency) <= (64 if body.old_root else 0)
        and _all(body.consistency, 32)
    )


def _confirmation(body: Any) -> bool:
    lists = (list(body.complaints), list(body.reveals))
    return (
        _all([body.ceremony, body.close, body.transcript], 32)
        and all(_all(hashes, 32) for hashes in lists)
        and all(sorted(set(hashes)) == hashes for hashes in lists)
    )


SHAPES = {
    "position": _position,
    "inquiry": _inquiry,
    "evaluation": lambda b: len(b.batch_digest) == 32 and 1 <= b.count <= MOST_ELEMENTS,
    "ready": lambda b: _all([b.ceremony, b.hpke_key], 32),
    "dealing": _dealing,
    "close": lambda b: _all([b.ceremony, *b.dealings], 32) and len(b.dealings) > 0,
    "complaint": lambda b: _all([b.ceremony, b.close, b.dealing], 32),
    "reveal": lambda b: _all([b.ceremony, b.complaint, *b.shares], 32) and len(b.shares) == SHARES,
    "confirmation": _confirmation,
    "proposal": lambda b: len(b.previous) == 32 and 1 <= len(b.manifest) <= 65_000,
    "approval": lambda b: _all([b.previous, b.manifest], 32),
    "evidence": _evidence,
    "challenge": lambda b: len(b.leaf_hash) == 32 and 1 <= len(b.origin.encode()) <= 255,
    "challenge_answer": lambda b: len(b.leaf_hash) == 32 and 1 <= len(b.proof) <= 65_000,
}


def _varint(raw: bytes, at: int, size: int = 10, bits: int = 64) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * size, 7):
        value |= (raw[at] & 0x7F) << shift
        at += 1
        if raw[at - 1] < 0x80:
            if value >> bits:
                break
            return value, at
    raise IndexError


def contents(raw: bytes) -> list[tuple[int, bytes]]:
    """Number and content of a message's length-delimited fields; raises IndexError for what is not written as it must
    be."""
    found, at = [], 0
    while at < len(raw):
        tag, at = _varint(raw, at, 5, 32)
        if tag & 7 == BYTES:
            length, at = _varint(raw, at, 5, 32)
            found.append((tag >> 3, raw[at : at + length]))
            at += length
        elif tag & 7 == VARINT:
            _, at = _varint(raw, at)
        elif tag & 7 in (FIXED64, FIXED32):
            at += 8 if tag & 7 == FIXED64 else 4
        else:
            raise IndexError
        if tag < 8:
            raise IndexError
    if at != len(raw):
        raise IndexError
    return found


def _check_inside(kind: int, content: bytes) -> None:
    """The same for what a kind holds."""
    for number, value in contents(content):
        if (kind, number) == DEALINGS_COORDINATES:
            contents(value)
        if (kind, number) in INQUIRYS_NUMBERS:
            at = 0
            while at < len(value):
                _, at = _varint(value, at)


def read(raw: bytes, index: int = 0) -> Entry | None:
    """None for what is stored and otherwise ignored: what is not sound, or of a kind not known here."""
    message = entry_pb2.Entry()
    try:
        message.ParseFromString(raw)
        found = contents(raw)
        kind = message.WhichOneof("kind")
        if kind is None or len(found) != 1:
            return None
        _check_inside(*found[0])
    except (DecodeError, IndexError):
        return None
    if not SHAPES[kind](getattr(message, kind)):
        return None
    return Entry(raw, index, message.time, kind, getattr(message, kind))
