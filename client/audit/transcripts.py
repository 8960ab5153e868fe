"""Saved transcripts, verified against the logs as they were read, without any secret (docs/protocol.md, section 13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from client.audit.judging import ceremonies, lineages
from client.audit.keeping.memory import Memory
from client.audit.reading.kept import ceremonies_of
from client.audit.reading.logs import logs_of
from client.audit.reading.one_log import Progress
from client.audit.reading.shelf import Further, ShelfLog
from client.audit.reading.source import Source
from client.audit.report import Finding
from ledger.borrower.labels import QueryKeys
from ledger.ceremony import beginnings_of
from ledger.consortium.history import History
from ledger.consortium.joined import name_in
from ledger.errors import PlimsollError, Unverified
from ledger.keys import PublicKeys
from ledger.queries import transcript_check
from ledger.queries.transcript import Transcript
from ledger.queries.transcript_check import Report
from ledger.queries.transcript_roots import Root, roots_named, roots_of_earlier
from ledger.tlog.checkpoint import Head

T = TypeVar("T")


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


def verify_over(
    source: Source, saved: Saved, progress: Progress = lambda *_: None, last: Memory | None = None
) -> tuple[dict[str, Any], Finding | None]:
    """Verifies one transcript over a source, with no more than it needs read: the lineage, and of the logs those that
    the transcript is about and those of the key ceremonies. last: what an audit saw, which the logs must go on from.

    Raises PlimsollError where the source does not answer, or shows manifests or logs that do not hold."""
    lineage = lineages.read(source)
    history = lineage.history
    if last is not None:
        if last.consortium != history.consortium:
            raise Unverified("OTHER_CONSORTIUM", "the last audit was of another consortium")
        lineages.compare_with_last(lineage, last)
    anchors = {} if last is None else last.heads
    shelf = Shelf(source, history, [saved], anchors=anchors, ceremonies=ceremonies_of(history))
    shelf.read(progress)
    epochs = ceremonies.replay(history, shelf.logs.values())
    return shelf.verify(saved, tuple(epochs.keys.values()), progress)


class Shelf:
    """The logs that some transcripts are about. logs: by name."""

    def __init__(
        self,
        source: Source,
        history: History,
        saved: Sequence[Saved],
        *,
        anchors: Mapping[str, Head] | None = None,
        ceremonies: frozenset[bytes] = frozenset(),
    ) -> None:
        """anchors: by origin, what has been verified of logs before. ceremonies: of which the entries are kept, too, of
        all custodians' logs."""
        self._history = history
        parsed = [each.parsed for each in saved if each.parsed is not None]
        needed = {name for transcript in parsed for name, _ in roots_named(transcript, history)}
        borrowers = [QueryKeys(each.secret.query_key) for each in parsed if each.secret is not None]
        self.logs: dict[str, ShelfLog] = {}
        beginnings = beginnings_of(history) if ceremonies else []
        dealing = {name for beginning in beginnings for name in beginning.custodians}
        for log in logs_of(history):
            if log.name in needed or log.member in dealing:
                watched = borrowers if log.name in needed else []
                self.logs[log.name] = ShelfLog(source, log, watched, ceremonies, (anchors or {}).get(log.origin))
        for transcript in parsed:
            for name, size in roots_named(transcript, history):
                self.logs[name].sizes.add(size)
            if (name_of := _queriers_log(transcript, history)) is not None and name_of in self.logs:
                self.logs[name_of].indices.add(transcript.index)

    def read(self, progress: Progress) -> None:
        """Reads the logs. Raises PlimsollError."""
        for log in self.logs.values():
            log.read(progress)

    def verify(
        self, saved: Saved, keys: Sequence[PublicKeys], progress: Progress
    ) -> tuple[dict[str, Any], Finding | None]:
        """What is told of a transcript, and the finding where it does not hold. keys: of all epochs. Raises
        PlimsollError where logs have to be read again and cannot be."""
        if keys and saved.parsed is not None:
            self._prepare(saved.parsed, progress)
        return self._asked(lambda: _verify(saved, self.logs, self._history, keys), progress)

    def _asked(self, question: Callable[[], T], progress: Progress) -> T:
        """The answer, once the logs have been read for all that it takes."""
        while True:
            try:
                answer = question()
            except Further as further:
                further.log.read(progress)
                continue
            again = [log for log in self.logs.values() if log.is_provisional]
            if not again:
                return answer
            for log in again:
                log.read(progress)

    def _prepare(self, transcript: Transcript, progress: Progress) -> None:
        """Finds out at once which roots the querier's earlier inquiries ask for."""
        wanted = self._asked(lambda: self._roots_of_earlier(transcript), progress)
        short: set[str] = set()
        for name, size in wanted:
            log = self.logs.get(name)
            if log is not None and size <= log.size and size not in log.sizes:
                log.sizes.add(size)
                short.add(name)
        for name in short:
            self.logs[name].read(progress)

    def _roots_of_earlier(self, transcript: Transcript) -> set[Root]:
        try:
            return roots_of_earlier(transcript, self._history, self.logs)
        except PlimsollError:  # then its verification fails, and says why
            return set()


def _verify(
    saved: Saved, logs: Mapping[str, ShelfLog], history: History, keys: Sequence[PublicKeys]
) -> tuple[dict[str, Any], Finding | None]:
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
