"""All logs of a consortium into one folder that can be audited without any node (protocol, "Tiles and receipts").

DIR/lineage               the manifests, with what shows them to be approved: a serialized plimsoll.v1.Lineage
DIR/<log>/checkpoint      the newest head; with its cosignatures where it is witnessed
DIR/<log>/witnessed       the largest witnessed head, with its cosignatures
DIR/<log>/tile/..         C2SP tlog-tiles
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from client.audit.reading.logs import LogId, logs_of
from client.export.folder import LogFolder, write_durably
from client.export.lineage import read_lineage
from client.export.one_log import Exported, LogExport, Progress
from client.sdk import Session
from ledger.consortium.lineage import Lineage, open_lineage
from ledger.errors import InvalidInput, NotFound, PlimsollError, Refused, Unready, Unverified
from ledger.tlog.checkpoint import parse_head_text
from ledger.tlog.note import parse_note

LINEAGE = "lineage"
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class LogResult:
    """log: as it is named. error: why it was left as it was; None where it was exported."""

    log: LogId
    exported: Exported | None = None
    error: PlimsollError | None = None

    def facts(self) -> dict[str, Any]:
        """For programs."""
        done = self.exported or Exported(None, None, None)
        return {
            "log": self.log.name,
            "origin": self.log.origin,
            "before": done.before,
            "size": done.size,
            "witnessed": done.witnessed,
            "ahead": done.ahead,
            "error": None
            if self.error is None
            else {"reason": self.error.reason, "message": self.error.message, "path": self.error.path},
        }


@dataclass(slots=True)
class Result:
    """What an export did."""

    folder: str
    lineage: Lineage
    logs: list[LogResult] = field(default_factory=list)

    @property
    def failed(self) -> list[LogResult]:
        """The logs that were left as they were."""
        return [log for log in self.logs if log.error is not None]

    def facts(self) -> dict[str, Any]:
        """For programs."""
        history = self.lineage.history
        return {
            "verdict": "bad" if self.failed else "ok",
            "folder": self.folder,
            "consortium": history.consortium.hex(),
            "manifests": len(history.manifests),
            "logs": [log.facts() for log in self.logs],
        }


def export(session: Session, folder: Path, progress: Progress, *, check: bool = False) -> Result:
    """Brings the folder up to date. check: reads every byte that is there already.

    What is wrong with one log does not keep the others from being exported. Raises Unready where another export into
    this folder is running, Unverified where the node's manifests do not hold or are not those in the folder, and what
    the calls and the disk raise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        lineage = _follow(session, folder)
        shown = session.latest_heads()
        heads, witnessed = _by_origin(shown.heads), _by_origin(shown.witnessed)
        result = Result(str(folder), lineage)
        for log in logs_of(lineage.history):
            notes = heads.get(log.origin, []), witnessed.get(log.origin, [])
            work = LogExport(LogFolder(folder / log.name), log, *notes)
            try:
                done = work.run(session, lineage.history, progress, check=check)
                result.logs.append(LogResult(log, done))
            except (Unverified, InvalidInput, NotFound) as error:
                result.logs.append(LogResult(log, error=error))
    return result


def _by_origin(notes: Iterable[bytes]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for note in notes:
        found.setdefault(parse_head_text(parse_note(note).text).origin, []).append(note)
    return found


def _follow(session: Session, folder: Path) -> Lineage:
    """The manifests, of the node or of the folder, whichever knows more; written before any log that needs them."""
    shown = read_lineage(session)
    path = folder / LINEAGE
    raw = path.read_bytes() if path.exists() else None
    known = None if raw is None else shown if raw == shown.encode() else open_lineage(raw)
    if known is not None:
        try:
            shown.check_extends(known)
        except Refused as error:
            if error.reason == "SHORTER_LINEAGE":  # a change takes a while to spread
                return known
            raise Unverified(error.reason, "the manifests in this folder are not those that the node shows") from error
    if known is None or len(known.history.manifests) < len(shown.history.manifests):
        write_durably(path, shown.encode())
    return shown


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Until the block ends, or this process does."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unready("EXPORT_RUNNING", "another export into this folder is running", str(folder)) from error
        yield
    finally:
        os.close(descriptor)
