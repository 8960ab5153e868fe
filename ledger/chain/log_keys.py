"""How logs lie in the store, byte by byte. All integers are big endian, so that keys sort as numbers.

    key                                       value
    'o' origin (UTF-8)                        log number (2): stands for the origin in every key below
    'n'                                       log number (2) to be given to the next new origin
    's' log (2)                               how far the log has got (chain.log_state); the key of compare-and-set
    'e' log (2) index (8)                     entry, as signed for
    't' log (2) level (1) number (8)          full tile: 256 hashes of 32 bytes (log-formats, "Tiles")
    'l' log (2) label (16) index (8)          empty: that entry carries that label
    'k' log (2) kind (1) index (8)            empty: that entry is of that kind; none for positions

Of a log whatever number it has now, so that they outlive a replica that is begun anew:

    'f' origin                                evidence that froze the log: a serialized Evidence (witnessing.frozen)
    'c' origin                                two witnessed heads of it that conflict (ledger.witnessing.frozen)
    'w'                                       how many times this member has cosigned (8); the key of compare-and-set
    'w' origin                                note of the largest head this member has cosigned (witnessing.witness)
    'h' origin 00 hour (8)                    note of the largest head witnessed in that hour (witnessing.witnessed)

Of logs that are no part of the consortium:

    'x' origin                                what this member has cosigned last of it (ledger.tlog.tlog_witness)

The label stands before the index and both in the key, so that filing an entry needs no look whether its label is taken:
the first occurrence, which is the one that counts, is the first key under the label.

Keys of other uses of the same store begin with other bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ORIGIN = b"o"
NEXT_NUMBER = b"n"
FROZEN = b"f"
CONFLICT = b"c"
COSIGNED = b"w"
WITNESSED = b"h"
ELSEWHERE = b"x"

LABEL_SIZE = 16
MAX_NUMBER = (1 << 16) - 1

_STANDING = b"s"
_ENTRY = b"e"
_TILE = b"t"
_LABEL = b"l"
_KIND = b"k"

_INDEX_SIZE = 8


def encode_number(number: int) -> bytes:
    """A log number as it stands in keys and values."""
    return number.to_bytes(2, "big")


def encode_index(index: int) -> bytes:
    """An index as it stands at the end of keys."""
    return index.to_bytes(_INDEX_SIZE, "big")


def last_index(key: bytes) -> int:
    """The index at the end of a key."""
    return int.from_bytes(key[-_INDEX_SIZE:], "big")


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The keys of one log. Prefixes are public: writers of many entries add to them what follows."""

    number: int
    standing: bytes = field(init=False)
    entries: bytes = field(init=False)
    tiles: bytes = field(init=False)
    labels: bytes = field(init=False)
    kinds: bytes = field(init=False)

    def __post_init__(self) -> None:
        log = encode_number(self.number)
        for name, tag in {
            "standing": _STANDING, "entries": _ENTRY, "tiles": _TILE, "labels": _LABEL, "kinds": _KIND
        }.items():  # fmt: skip
            object.__setattr__(self, name, tag + log)

    def entry(self, index: int) -> bytes:
        """Of an entry."""
        return self.entries + encode_index(index)

    def tile(self, level: int, number: int) -> bytes:
        """Of a full tile."""
        return self.tiles + bytes([level]) + encode_index(number)

    def kind(self, code: int, index: int) -> bytes:
        """Of an entry in the index of its kind."""
        return self.kinds + bytes([code]) + encode_index(index)

    def all(self) -> tuple[bytes, ...]:
        """The prefixes under which everything of the log lies; what says how far it has got comes first."""
        return (self.standing, self.entries, self.tiles, self.labels, self.kinds)
