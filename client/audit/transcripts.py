"""Saved transcripts, verified against the logs as they were read, without any secret (docs/protocol.md, section 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from client.audit.one_log import OneLog
from client.audit.report import Finding
from ledger import transcript_check
from ledger.errors import PlimsollError
from ledger.history import History
from ledger.keys import PublicKeys
from ledger.manifest import Manifest
from ledger.transcript import Transcript
from ledger.transcript_check import Report


@dataclass(frozen=True, slots=True)
class Saved:
    """A transcript's file. parsed: None where it is none, which its verification will say."""

    name: str
    raw: bytes = field(repr=False)
    parsed: Transcript | None

    @classmethod
    def of(cls, name: str, raw: bytes) -> Saved:
        """The transcript in these bytes."""
        try:
            return cls(name, raw, Transcript.parse(raw))
        except PlimsollError:
            return cls(name, raw, None)


def sizes(saved: Sequence[Saved], member: str) -> set[int]:
    """The sizes of a member's log at which transcripts need its root."""
    used = (head for each in saved if each.parsed is not None for head in each.parsed.heads)
    return {head.size for head in used if head.member == member}


def leaves(saved: Sequence[Saved], member: str) -> set[int]:
    """The indices of a member's log at which they need the leaf hash."""
    return {each.parsed.index for each in saved if each.parsed is not None and each.parsed.querier == member}


def verify(
    saved: Saved, logs: Mapping[str, OneLog], manifest: Manifest, keys: PublicKeys | None
) -> tuple[dict[str, Any], Finding | None]:
    """What is told of a transcript, and the finding where it does not hold."""
    if keys is None:
        report = Report("", "T1", "the key ceremony is not final", ())
    else:
        report = transcript_check.verify(saved.raw, logs, History([manifest]), keys)
    facts = {
        "file": saved.name,
        "form": report.form,
        "verdict": "ok" if report.is_good else "bad",
        "failed": report.failed,
        "message": report.message,
        "passed": list(report.passed),
        "opened": dict(report.opened),
    }
    if report.is_good:
        return facts, None
    querier, index = ("", None) if saved.parsed is None else (saved.parsed.querier, saved.parsed.index)
    return facts, Finding(querier, index, report.failed, f"{saved.name}: {report.message}")
