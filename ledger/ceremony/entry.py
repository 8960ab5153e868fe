"""The six entries of a key ceremony: their bytes, and what they hold (protocol, section 5).

`read_entry` answers None for whatever a ceremony ignores: other kinds, entries that are not sound, and a Ready to which
nothing can be sealed. What it returns is well-formed; whether it counts is `judge`'s to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from plimsoll.v1 import entry_pb2

from ledger.ceremony import share_sealing
from ledger.chain.entries import Kind, kind_of, parse_entry
from ledger.crypto.group import SIZE
from ledger.errors import InvalidInput
from ledger.tlog import merkle


@dataclass(frozen=True, slots=True)
class ReadyEntry:
    """hpke_key: fresh, 32 bytes, not of small order."""

    ceremony: bytes
    hpke_key: bytes

    def encode(self, time: int) -> bytes:
        """The entry's bytes; time in Unix seconds."""
        ready = entry_pb2.Ready(ceremony=self.ceremony, hpke_key=self.hpke_key)
        return _encode(entry_pb2.Entry(time=time, ready=ready))


@dataclass(frozen=True, slots=True)
class DealingEntry:
    """As `dealing.Dealing`, whose dealer is the author. readies_digest: 32 bytes."""

    ceremony: bytes
    readies_digest: bytes
    commitments: tuple[tuple[bytes, ...], ...] = field(repr=False)
    possessions: tuple[bytes, ...] = field(repr=False)
    sealed_shares: tuple[bytes, ...] = field(repr=False)

    def encode(self, time: int) -> bytes:
        """The entry's bytes; time in Unix seconds."""
        coordinates = [
            entry_pb2.Coordinate(commitments=row, possession=possession)
            for row, possession in zip(self.commitments, self.possessions, strict=True)
        ]
        dealing = entry_pb2.Dealing(
            ceremony=self.ceremony,
            readies_digest=self.readies_digest,
            coordinates=coordinates,
            sealed_shares=self.sealed_shares,
        )
        return _encode(entry_pb2.Entry(time=time, dealing=dealing))


@dataclass(frozen=True, slots=True)
class CloseEntry:
    """dealings: leaf hashes."""

    ceremony: bytes
    dealings: tuple[bytes, ...]

    def encode(self, time: int) -> bytes:
        """The entry's bytes; time in Unix seconds."""
        close = entry_pb2.Close(ceremony=self.ceremony, dealings=self.dealings)
        return _encode(entry_pb2.Entry(time=time, close=close))


@dataclass(frozen=True, slots=True)
class ComplaintEntry:
    """close, dealing: leaf hashes."""

    ceremony: bytes
    close: bytes
    dealing: bytes

    def encode(self, time: int) -> bytes:
        """The entry's bytes; time in Unix seconds."""
        complaint = entry_pb2.Complaint(ceremony=self.ceremony, close=self.close, dealing=self.dealing)
        return _encode(entry_pb2.Entry(time=time, complaint=complaint))


@dataclass(frozen=True, slots=True)
class RevealEntry:
    """complaint: its id. bundle: the share opened, 256 bytes, not checked."""

    ceremony: bytes
    complaint: bytes
    bundle: bytes = field(repr=False)

    def encode(self, time: int) -> bytes:
        """The entry's bytes; time in Unix seconds."""
        shares = [self.bundle[at : at + SIZE] for at in range(0, len(self.bundle), SIZE)]
        reveal = entry_pb2.Reveal(ceremony=self.ceremony, complaint=self.complaint, shares=shares)
        return _encode(entry_pb2.Entry(time=time, reveal=reveal))


@dataclass(frozen=True, slots=True)
class ConfirmationEntry:
    """close, reveals: leaf hashes. complaints: their ids. transcript: 32 bytes."""

    ceremony: bytes
    close: bytes
    complaints: tuple[bytes, ...]
    reveals: tuple[bytes, ...]
    transcript: bytes

    def encode(self, time: int) -> bytes:
        """The entry's bytes; time in Unix seconds."""
        confirmation = entry_pb2.Confirmation(
            ceremony=self.ceremony,
            close=self.close,
            complaints=self.complaints,
            reveals=self.reveals,
            transcript=self.transcript,
        )
        return _encode(entry_pb2.Entry(time=time, confirmation=confirmation))


Body = ReadyEntry | DealingEntry | CloseEntry | ComplaintEntry | RevealEntry | ConfirmationEntry

DEALERS_KINDS = (DealingEntry, RevealEntry)  # all others are receivers' to say


@dataclass(frozen=True, slots=True)
class CeremonyEntry:
    """A well-formed entry of some ceremony, as it stands at `index` in the log of the member `author`.

    until: the last key epoch in whose ceremony it counts, None for any (ledger.ceremony.counting). What counts in none
    only tells its author what it has said already.
    """

    author: str
    index: int
    leaf: bytes
    body: Body
    until: int | None = None


def read_entry(author: str, index: int, entry: bytes) -> CeremonyEntry | None:
    """The entry, where a ceremony takes notice of it; None for all others."""
    try:
        return CeremonyEntry(author, index, merkle.leaf_hash(entry), parse_body(entry))
    except InvalidInput:
        return None


def parse_body(entry: bytes) -> Body:
    """Raises InvalidInput for bytes that are no sound entry, another kind, and a Ready that cannot be sealed to."""
    message = parse_entry(entry)
    kind = kind_of(message)
    if kind is None or kind not in _READERS:
        raise InvalidInput("BAD_KIND", "not an entry of a key ceremony")
    body: Body = _READERS[kind](getattr(message, kind.name.lower()))
    return body


def _ready(message: entry_pb2.Ready) -> ReadyEntry:
    share_sealing.check_public_key(message.hpke_key, "ready.hpke_key")
    return ReadyEntry(message.ceremony, message.hpke_key)


def _dealing(message: entry_pb2.Dealing) -> DealingEntry:
    return DealingEntry(
        message.ceremony,
        message.readies_digest,
        tuple(tuple(coordinate.commitments) for coordinate in message.coordinates),
        tuple(coordinate.possession for coordinate in message.coordinates),
        tuple(message.sealed_shares),
    )


def _close(message: entry_pb2.Close) -> CloseEntry:
    return CloseEntry(message.ceremony, tuple(message.dealings))


def _complaint(message: entry_pb2.Complaint) -> ComplaintEntry:
    return ComplaintEntry(message.ceremony, message.close, message.dealing)


def _reveal(message: entry_pb2.Reveal) -> RevealEntry:
    return RevealEntry(message.ceremony, message.complaint, b"".join(message.shares))


def _confirmation(message: entry_pb2.Confirmation) -> ConfirmationEntry:
    complaints, reveals = tuple(message.complaints), tuple(message.reveals)
    return ConfirmationEntry(message.ceremony, message.close, complaints, reveals, message.transcript)


_READERS: Mapping[Kind, Callable[[Any], Body]] = MappingProxyType(
    {
        Kind.READY: _ready,
        Kind.DEALING: _dealing,
        Kind.CLOSE: _close,
        Kind.COMPLAINT: _complaint,
        Kind.REVEAL: _reveal,
        Kind.CONFIRMATION: _confirmation,
    }
)


def _encode(entry: entry_pb2.Entry) -> bytes:
    return entry.SerializeToString(deterministic=True)
