"""What an audit found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.errors import PlimsollError
from ledger.tlog.checkpoint import Head


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong. member: whose log, or who said so. index: of the first bad entry, None where it is
    about no entry. reason: stable code."""

    member: str
    index: int | None
    reason: str
    message: str

    @classmethod
    def because(cls, member: str, index: int | None, error: PlimsollError) -> Finding:
        """Of a failed check."""
        return cls(member, index, error.reason, error.message)

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {"member": self.member, "index": self.index, "reason": self.reason, "message": self.message}


@dataclass(frozen=True, slots=True)
class LogReport:
    """One log as it was read. entries: number by kind. receipts, proofs: how many were checked; None: not asked for.

    ended: how many entries count of a log that has ended; None for one that is written. frozen: its author has signed
    two histories. timeline: how many entries bear which times (reading.timeline). since: how many of the entries
    an earlier audit had read. witnessed: `size` and `time` of the largest head that enough have cosigned. heartbeat:
    when the author last spoke, in Unix seconds. inquiries: how many were held against the heads they name (`checked`),
    and of how many that could not be done (`unchecked`).
    """

    member: str
    head: Head
    entries: Mapping[str, int] = field(default_factory=dict)
    receipts: int = 0
    proofs: int | None = None
    ended: int | None = None
    frozen: bool = False
    timeline: Mapping[str, Any] = field(default_factory=dict)
    since: int = 0
    witnessed: Mapping[str, Any] | None = None
    heartbeat: int | None = None
    inquiries: Mapping[str, int] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {
            "member": self.member,
            "origin": self.head.origin,
            "size": self.head.size,
            "root": self.head.root.hex(),
            "entries": dict(self.entries),
            "receipts": self.receipts,
            "proofs": self.proofs,
            "ended": self.ended,
            "frozen": self.frozen,
            "timeline": dict(self.timeline),
            "since": self.since,
            "witnessed": None if self.witnessed is None else dict(self.witnessed),
            "heartbeat": self.heartbeat,
            "inquiries": dict(self.inquiries),
        }


@dataclass(slots=True)
class Report:
    """The verdict: bad where anything was found; incomplete where nothing was, but not everything could be checked.

    findings: what is wrong. remarks: what is worth knowing and proves nothing wrong. unchecked: what could not be
    checked. through: the node read from. asked: the members whose heads were
    compared; silent: those that did not answer. phase: of the newest key ceremony; public_keys: of the epoch in force.
    manifests, epochs, frozen, challenges: what is told of each, for programs. now: when, in Unix seconds."""

    through: str
    consortium: bytes
    name: str
    logs: list[LogReport] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)
    phase: str = ""
    public_keys: list[bytes] = field(default_factory=list)
    manifests: list[dict[str, Any]] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    frozen: list[dict[str, Any]] = field(default_factory=list)
    challenges: list[dict[str, Any]] = field(default_factory=list)
    transcripts: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)
    unchecked: list[Finding] = field(default_factory=list)
    now: int | None = None

    @property
    def verdict(self) -> str:
        """ "ok", "bad" or "incomplete"."""
        return "bad" if self.findings else "incomplete" if self.unchecked else "ok"

    @property
    def is_whole(self) -> bool:
        """Whether everybody answered and everything was checked, so that what was not found is not there."""
        return not self.unchecked and not self.silent

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {
            "verdict": self.verdict,
            "through": self.through,
            "consortium": self.consortium.hex(),
            "name": self.name,
            "manifests": self.manifests,
            "logs": [log.facts() for log in self.logs],
            "heads_from": self.asked,
            "silent": self.silent,
            "keys": {"phase": self.phase, "public_keys": [key.hex() for key in self.public_keys]},
            "epochs": self.epochs,
            "frozen": self.frozen,
            "challenges": self.challenges,
            "transcripts": self.transcripts,
            "findings": [finding.facts() for finding in self.findings],
            "remarks": [remark.facts() for remark in self.remarks],
            "unchecked": [each.facts() for each in self.unchecked],
            "time": self.now,
        }
