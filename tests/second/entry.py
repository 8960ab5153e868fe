"""Entries as a reader takes them; one not of its kind's shape is as if it were not there (protocol section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from plimsoll.v1 import entry_pb2

from tests.second import merkle

SEALED = {12 + padded + 16 for padded in (512, 2048, 8192, 32768)}
SHARES = 8


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
    return (
        _all([body.ceremony, body.readies_digest], 32)
        and len(body.coordinates) == SHARES
        and all(_all(c.commitments, 32) and len(c.possession) == 64 for c in body.coordinates)
        and _all(body.sealed_shares, 32 + 32 * SHARES + 16)
    )


SHAPES = {
    "position": _position,
    "inquiry": lambda b: len(b.label) == 16 and _all([b.consent_digest, b.manifest, b.heads_digest], 32),
    "evaluation": lambda b: len(b.batch_digest) == 32,
    "ready": lambda b: _all([b.ceremony, b.hpke_key], 32),
    "dealing": _dealing,
    "close": lambda b: _all([b.ceremony, *b.dealings], 32),
    "complaint": lambda b: _all([b.ceremony, b.close, b.dealing], 32),
    "reveal": lambda b: _all([b.ceremony, b.complaint, *b.shares], 32) and len(b.shares) == SHARES,
    "confirmation": lambda b: _all([b.ceremony, b.close, b.transcript, *b.complaints, *b.reveals], 32),
}


def read(raw: bytes, index: int = 0) -> Entry | None:
    """None for what is stored and otherwise ignored."""
    message = entry_pb2.Entry()
    try:
        message.ParseFromString(raw)
    except DecodeError:
        return None
    kind = message.WhichOneof("kind")
    if kind is None or not SHAPES[kind](getattr(message, kind)):
        return None
    return Entry(raw, index, message.time, kind, getattr(message, kind))
