"""What an audit takes out of a block's entries, whatever block it is: hashes, kinds, times, and the few that matter.

It needs no more than the entries, so it is made on all cores; what depends on the order of blocks (the tree, quotas,
the clock) is made of digests afterwards.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from google.protobuf.message import DecodeError
from plimsoll.v1 import entry_pb2, peer_pb2

from client.audit.reading.follower import fits
from ledger.chain.entries import UNSOUND, Kind, file_entry, parse_entry
from ledger.chain.entry_wire import PlainTimes
from ledger.errors import InvalidInput

CEREMONY = frozenset({Kind.READY, Kind.DEALING, Kind.CLOSE, Kind.COMPLAINT, Kind.REVEAL, Kind.CONFIRMATION})
BALLOTS = frozenset({Kind.PROPOSAL, Kind.APPROVAL})
CHALLENGES = frozenset({Kind.CHALLENGE, Kind.CHALLENGE_ANSWER})
_NOTABLE = CEREMONY | BALLOTS | CHALLENGES | {Kind.EVIDENCE}
UNTIMED = -1
_LATEST = (1 << 63) - 2


@dataclass(frozen=True, slots=True)
class Question:
    """An Inquiry at `index`: what can be checked of it without keys."""

    index: int
    time: int
    manifest: bytes
    sizes: tuple[int, ...]
    heads_digest: bytes
    frozen: tuple[int, ...]
    conflicting: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """Of the entries from index `start` on. codes: number by kind. times: Unix seconds of each, UNTIMED for what is no
    message. notable: (index, kind, entry) of those to be read by somebody. evaluations: (index, time, count). unsound:
    (index, reason) of the first that is not sound. position: the time of the last position, or UNTIMED. fit: they
    can be a block's entries."""

    start: int
    leaves: tuple[bytes, ...] = field(repr=False)
    codes: Counter[int]
    times: array[int] = field(repr=False)
    notable: tuple[tuple[int, int, bytes], ...] = field(repr=False)
    questions: tuple[Question, ...] = field(repr=False)
    evaluations: tuple[tuple[int, int, int], ...] = field(repr=False)
    unsound: tuple[int, str] | None
    position: int
    fit: bool


def digest_block(raw: bytes) -> Digest:
    """Of a serialized Block, as another process gets it."""
    block = peer_pb2.Block.FromString(raw)
    return digest(block.start, list(block.entries))


def digest(start: int, entries: Sequence[bytes]) -> Digest:
    """Of these entries. Refuses nothing."""
    sha256 = hashlib.sha256
    leaves = tuple([sha256(b"\x00" + entry).digest() for entry in entries])  # RFC 6962, as ledger.tlog.merkle has it
    reader = _Reader()
    plain = list(PlainTimes().read(entries))
    if None in plain:
        times, last = reader.read_others(start, entries, plain)
    else:
        times, last = array("q", cast("list[int]", plain)), len(plain) - 1
    codes = reader.codes
    if positions := len(plain) - plain.count(None):
        codes[Kind.POSITION] += positions
    return Digest(
        start,
        leaves,
        codes,
        times,
        tuple(reader.notable),
        tuple(reader.questions),
        tuple(reader.evaluations),
        reader.unsound,
        UNTIMED if last < 0 else times[last],
        fits(entries),
    )


class _Reader:
    """Entries that are no plain positions, one by one."""

    def __init__(self) -> None:
        self.codes: Counter[int] = Counter()
        self.notable: list[tuple[int, int, bytes]] = []
        self.questions: list[Question] = []
        self.evaluations: list[tuple[int, int, int]] = []
        self.unsound: tuple[int, str] | None = None

    def read_others(self, start: int, entries: Sequence[bytes], plain: Sequence[int | None]) -> tuple[array[int], int]:
        """plain: the times of those that are plain positions. All times, and the place of the last position, or -1."""
        times, last = array("q"), -1
        for place, (entry, time) in enumerate(zip(entries, plain, strict=True)):
            code = Kind.POSITION if time is not None else file_entry(entry).code
            times.append(self._read(start + place, code, entry) if time is None else time)
            last = place if code == Kind.POSITION else last
        return times, last

    def _read(self, index: int, code: int, entry: bytes) -> int:
        self.codes[code] += 1
        time = _time(entry)
        if code == UNSOUND:
            self.unsound = self.unsound or (index, _why(entry))
        elif code in _NOTABLE:
            self.notable.append((index, code, entry))
        elif code == Kind.INQUIRY:
            self.questions.append(_question(index, time, entry_pb2.Entry.FromString(entry).inquiry))
        elif code == Kind.EVALUATION:
            self.evaluations.append((index, time, entry_pb2.Entry.FromString(entry).evaluation.count))
        return time


def _question(index: int, time: int, inquiry: entry_pb2.Inquiry) -> Question:
    return Question(
        index,
        time,
        inquiry.manifest,
        tuple(inquiry.sizes),
        inquiry.heads_digest,
        tuple(inquiry.frozen),
        tuple(inquiry.conflicting),
    )


def _time(entry: bytes) -> int:
    try:
        return min(entry_pb2.Entry.FromString(entry).time, _LATEST)
    except DecodeError:
        return UNTIMED


def _why(entry: bytes) -> str:
    try:
        parse_entry(entry)
    except InvalidInput as error:
        return error.reason
    raise AssertionError("filed as not sound")
