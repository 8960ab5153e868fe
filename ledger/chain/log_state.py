"""How far a log has got: the one record that every commit replaces, by compare-and-set, and the value made of it.

    version (1) = 1 | size (8) | root (32) | index of the last position + 1 or 0 (8) | its time (8)
    | number of kinds (1) | per kind, ascending: code (1), number of entries (8)
    | length (4) and note of the head held in full | length (4) and note of the head that covers what is held behind it
    | per head ahead, ascending: length (4) and note        (ledger.chain.log_heads)

Integers are big endian; a note that is not there has length 0. The root is that of all entries held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ledger.chain.log_heads import Heads
from ledger.chain.tree import Tree
from ledger.errors import PlimsollError, Unverified
from ledger.tlog.checkpoint import SignedHead, open_head
from ledger.tlog.note import VerifierKey

_VERSION = b"\x01"


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry's index, and its time by its author's clock in Unix seconds."""

    index: int
    time: int


@dataclass(frozen=True, slots=True)
class Record:
    """What stands in the store. counts: entries by code; notes are empty where there is none."""

    size: int
    root: bytes
    last_position: Mark | None
    counts: Mapping[int, int]
    head_note: bytes
    cover_note: bytes
    ahead_notes: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The stored bytes."""
        index, time = (0, 0) if self.last_position is None else (self.last_position.index + 1, self.last_position.time)
        counts = [bytes([code]) + _u64(count) for code, count in sorted(self.counts.items())]
        numbers = [_VERSION, _u64(self.size), self.root, _u64(index), _u64(time), bytes([len(counts)]), *counts]
        notes = [len(note).to_bytes(4, "big") + note for note in (self.head_note, self.cover_note, *self.ahead_notes)]
        return b"".join(numbers + notes)

    @classmethod
    def decode(cls, raw: bytes) -> Record:
        """Reads stored bytes. Raises Unverified where they have rotted."""
        reader = _Reader(raw)
        if reader.take(1) != _VERSION:
            raise _rotten("unknown version")
        size, root, after, time = reader.u64(), reader.take(32), reader.u64(), reader.u64()
        counts = {reader.take(1)[0]: reader.u64() for _ in range(reader.take(1)[0])}
        head_note, cover_note, ahead_notes = reader.sized(), reader.sized(), tuple(reader.rest())
        last_position = Mark(after - 1, time) if after else None
        record = cls(size, root, last_position, counts, head_note, cover_note, ahead_notes)
        if record.encode() != raw:
            raise _rotten("not as it was written")
        return record


@dataclass(frozen=True, slots=True)
class LogState:
    """A log at one moment; never changed.

    tree: over all entries held. last_position: of the Position with the largest index. counts: entries by code. record:
    the stored bytes this was read from or written as; None for a log that has none yet.
    """

    tree: Tree
    heads: Heads = field(default_factory=Heads)
    last_position: Mark | None = None
    counts: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    record: bytes | None = None

    @property
    def size(self) -> int:
        """How many entries are held."""
        return self.tree.size

    @classmethod
    def restore(cls, record: Record, raw: bytes, tree: Tree, key: VerifierKey) -> LogState:
        """From a record and the tree it speaks of. Raises Unverified where they and the signed heads do not fit."""
        held, cover = (_open(note, key) if note else None for note in (record.head_note, record.cover_note))
        heads = Heads(held, cover, tuple(_open(note, key) for note in record.ahead_notes))
        if tree.root() != record.root:
            raise Unverified("ROOT_MISMATCH", "the stored entries and tiles do not lead to the stored root", "standing")
        if held is not None and (held.head.size > tree.size or tree.root_at(held.head.size) != held.head.root):
            raise Unverified("ROOT_MISMATCH", "the stored entries and tiles do not lead to the head's root", "head")
        if not heads.fit(tree.size):
            raise _rotten("heads that do not fit what is held")
        return cls(tree, heads, record.last_position, MappingProxyType(dict(record.counts)), raw)


def _open(note: bytes, key: VerifierKey) -> SignedHead:
    try:
        return open_head(note, key)
    except PlimsollError as error:
        raise Unverified("BAD_HEAD", f"a stored head is none of this log's: {error.message}", "head") from error


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _rotten(why: str) -> Unverified:
    return Unverified("BAD_STANDING", f"the record of how far the log has got is damaged: {why}", "standing")


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def take(self, size: int) -> bytes:
        part = self._raw[self._at : self._at + size]
        if len(part) != size:
            raise _rotten("cut short")
        self._at += size
        return part

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def sized(self) -> bytes:
        return self.take(int.from_bytes(self.take(4), "big"))

    def rest(self) -> Iterator[bytes]:
        while self._at < len(self._raw):
            yield self.sized()
