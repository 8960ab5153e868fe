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
from ledger.joined import name_in
from ledger.keys import PublicKeys
from ledger.transcript import Transcript
from ledger.transcript_check import Report
from ledger.transcript_roots import Root, roots_named, roots_of_earlier


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


def sizes(saved: Sequence[Saved], history: History, name: str) -> set[int]:
    """The sizes of a log, by name, at which transcripts need its root: as far as they say so themselves."""
    named = (roots_named(each.parsed, history) for each in saved if each.parsed is not None)
    return {size for roots in named for log, size in roots if log == name}


def sizes_of_earlier(saved: Sequence[Saved], history: History, logs: Mapping[str, OneLog]) -> set[Root]:
    """The roots for which the earlier inquiries of their queriers ask, once these can be found in the logs."""
    found: set[Root] = set()
    for each in saved:
        if each.parsed is not None:
            try:
                found |= roots_of_earlier(each.parsed, history, logs)
            except PlimsollError:  # then its verification fails, and says why
                continue
    return found


def leaves(saved: Sequence[Saved], history: History, name: str) -> set[int]:
    """The indices of a log at which they need the leaf hash."""
    return {
        each.parsed.index for each in saved if each.parsed is not None and _queriers_log(each.parsed, history) == name
    }


def verify(
    saved: Saved, logs: Mapping[str, OneLog], history: History, keys: Sequence[PublicKeys]
) -> tuple[dict[str, Any], Finding | None]:
    """What is told of a transcript, and the finding where it does not hold. logs: by name. keys: of all epochs."""
    if not keys:
        report = Report("", "T1", "the key ceremony is not final", ())
    else:
        report = transcript_check.verify(saved.raw, logs, history, *keys)
    facts = {
        "file": saved.name,
        "form": report.form,
        "verdict": "ok" if report.is_good else "bad",
        "failed": report.failed,
        "message": report.message,
        "passed": list(report.passed),
        "opened": dict(report.opened),
        "manifest": "" if saved.parsed is None else saved.parsed.manifest.hex(),
        "epoch": None if saved.parsed is None else saved.parsed.epoch,
        "assumed": list(report.assumed),
    }
    if report.is_good:
        return facts, None
    querier, index = ("", None) if saved.parsed is None else (saved.parsed.querier, saved.parsed.index)
    return facts, Finding(querier, index, report.failed, f"{saved.name}: {report.message}")


def _queriers_log(transcript: Transcript, history: History) -> str | None:
    manifest = history.get(transcript.manifest)
    known = manifest is not None and transcript.querier in manifest
    return name_in(manifest, transcript.querier) if manifest is not None and known else None
