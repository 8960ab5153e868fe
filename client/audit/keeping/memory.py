"""What the last audit saw of every log, kept in a file: the next one reads on from there, and between two no log may
shrink or change.

    {"format": "plimsoll/audit-state/v2", "checksum": hex, "consortium": hex, "manifests": [hex],
     "logs": {origin: {"size": n, "root": hex, "peaks": [hex], ..}}}

"manifests" are the ids of all, in order. "peaks" are the right edge of the log's tree (RFC 6962), from which it can be
grown on; then follow the few entries that verdicts rest on, and what is counted over days. The checksum is SHA-256 of
the file with 64 zeros in its place: it is there for rot, not for forgers. A file has one spelling. Files of the first
version, which have size and root alone, are read, too: such logs are read from their first entry.

It is public, but must be kept where those who are audited cannot write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from client.audit.reading.follower import Follower
from client.audit.reading.kept import Kept
from client.audit.reading.timeline import Timeline
from ledger.errors import InvalidInput, Unverified
from ledger.strict_json import Document
from ledger.tlog.checkpoint import Head
from ledger.tlog.merkle import HASH_SIZE, MAX_SIZE, CompactRange

FORMAT_1, FORMAT = "plimsoll/audit-state/v1", "plimsoll/audit-state/v2"
MAX_BYTES = 256 << 20
#: Bytes of one log's kept entries; of one that has more, its head alone is kept.
MAX_KEPT = 8 << 20
_MAX_TIME = (1 << 63) - 1
_PAIR = 16
_NO_CHECKSUM = "0" * 64

Pairs = tuple[tuple[int, int], ...]
"""(time, weight), ascending."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """What it takes to go on reading a log at its head.

    peaks: as CompactRange has them. codes: entries by kind. kept: see there. inquiries, evaluations: of the last days.
    latest: the greatest time of an entry; position: that of the last position; -1 if there is none. is_foreign: entries
    were left out that concern manifests not known then.
    """

    peaks: tuple[bytes, ...]
    codes: Mapping[int, int]
    kept: tuple[Kept, ...] = field(repr=False)
    inquiries: Pairs = field(repr=False)
    evaluations: Pairs = field(repr=False)
    latest: int
    position: int
    is_foreign: bool
    timeline: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogState:
    """One log. progressed: None where it is to be read from its first entry."""

    head: Head
    progressed: Progressed | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """logs: by origin. manifests: the ids of all, in order; none if that was not kept."""

    consortium: bytes
    logs: Mapping[str, LogState]
    manifests: tuple[bytes, ...] = ()

    @property
    def heads(self) -> Mapping[str, Head]:
        """By origin."""
        return {origin: state.head for origin, state in self.logs.items()}

    def encode(self) -> bytes:
        """The file's bytes, of which `parse` makes the same memory."""
        facts = {
            "format": FORMAT,
            "checksum": _NO_CHECKSUM,
            "consortium": self.consortium.hex(),
            "manifests": [each.hex() for each in self.manifests],
            "logs": {origin: _told(self.logs[origin]) for origin in sorted(self.logs)},
        }
        blank = json.dumps(facts, indent=1)
        return blank.replace(_NO_CHECKSUM, hashlib.sha256(blank.encode()).hexdigest(), 1).encode() + b"\n"


def parse(raw: bytes) -> Memory:
    """Reads a state file. Raises InvalidInput (BAD_STATE)."""
    try:
        return _read(raw)
    except (InvalidInput, ValueError) as error:
        message, path = (error.message, error.path) if isinstance(error, InvalidInput) else (str(error), "")
        raise InvalidInput("BAD_STATE", f"not the state of an audit: {message}", path) from error


def _read(raw: bytes) -> Memory:
    document = Document.parse(raw, MAX_BYTES)
    version = document.text("format")
    if version not in (FORMAT_1, FORMAT):
        raise InvalidInput("BAD_STATE", f"the format is neither {FORMAT} nor {FORMAT_1}", "format")
    if version == FORMAT:
        document.hex("checksum", HASH_SIZE)
    manifests = document.hexes("manifests", 32) if version == FORMAT or "manifests" in document else ()
    logs = {origin: _log(origin, facts, version) for origin, facts in document.named("logs")}
    memory = Memory(document.hex("consortium", 32), logs, manifests)
    document.finish()
    if version == FORMAT and memory.encode() != raw:
        raise InvalidInput("BAD_STATE", "the file is damaged, or was written by hand", "checksum")
    return memory


def _log(origin: str, facts: Document, version: str) -> LogState:
    head = Head(origin, facts.integer("size", MAX_SIZE), facts.hex("root", HASH_SIZE))
    progressed = _progressed(head, facts) if version == FORMAT and "peaks" in facts else None
    facts.finish()
    return LogState(head, progressed)


def _progressed(head: Head, facts: Document) -> Progressed:
    peaks = facts.hexes("peaks", HASH_SIZE)
    if CompactRange(head.size, peaks).root() != head.root:
        raise InvalidInput("BAD_STATE", "the peaks are not those of the root", facts.path("peaks"))
    times = facts.inner("timeline")
    counts = _pairs(times, "counts")
    timeline = Timeline.of(times.integer("width", _MAX_TIME), counts, times.integer("untimed", MAX_SIZE)).facts()
    times.finish()
    return Progressed(
        peaks,
        dict(_pairs(facts, "codes")),
        tuple(_kept(each, head) for each in facts.each("kept")),
        _pairs(facts, "inquiries"),
        _pairs(facts, "evaluations"),
        facts.integer("latest", _MAX_TIME) - 1,
        facts.integer("position", _MAX_TIME) - 1,
        bool(facts.integer("foreign", 1)),
        timeline,
    )


def _kept(facts: Document, head: Head) -> Kept:
    kept = Kept(facts.integer("index", max(0, head.size - 1)), facts.hex("leaf", HASH_SIZE), facts.hex("entry"))
    facts.finish()
    return kept


def _pairs(facts: Document, key: str) -> Pairs:
    raw = facts.hex(key)
    if len(raw) % _PAIR:
        raise InvalidInput("BAD_STATE", "must be pairs of numbers of 8 bytes each", facts.path(key))
    pairs = tuple(
        (int.from_bytes(raw[at : at + 8], "big"), int.from_bytes(raw[at + 8 : at + _PAIR], "big"))
        for at in range(0, len(raw), _PAIR)
    )
    if any(one[0] >= other[0] for one, other in pairwise(pairs)):
        raise InvalidInput("BAD_STATE", "must ascend", facts.path(key))
    return pairs


def _packed(pairs: Any) -> str:
    return b"".join(one.to_bytes(8, "big") + other.to_bytes(8, "big") for one, other in pairs).hex()


def _told(log: LogState) -> dict[str, Any]:
    facts: dict[str, Any] = {"size": log.head.size, "root": log.head.root.hex()}
    state = log.progressed
    if state is None:
        return facts
    timeline = {**state.timeline, "counts": _packed(state.timeline["counts"])}
    return facts | {
        "peaks": [peak.hex() for peak in state.peaks],
        "codes": _packed(sorted(state.codes.items())),
        "kept": [{"index": each.index, "leaf": each.leaf.hex(), "entry": each.entry.hex()} for each in state.kept],
        "inquiries": _packed(state.inquiries),
        "evaluations": _packed(state.evaluations),
        "latest": state.latest + 1,
        "position": state.position + 1,
        "foreign": int(state.is_foreign),
        "timeline": timeline,
    }


def compare(head: Head, follower: Follower, end: int | None = None) -> None:
    """Holds what was seen against the log as read now. end: where it has ended, if it has: what is beyond does not
    count, and nobody has to keep it. Raises Unverified."""
    if end is not None and end <= follower.size < head.size:
        return
    if follower.size < head.size:
        raise Unverified("SHRUNK", f"the log had {head.size} entries at the last audit and has {follower.size} now")
    if follower.root_at(head.size) != head.root:
        raise Unverified("REWRITTEN", f"the log's first {head.size} entries are not those of the last audit")
