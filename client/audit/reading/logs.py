"""Which logs there are to read: those that are written under the manifest in force, and those that have ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.consortium.ended import EndedLog
from ledger.consortium.history import History
from ledger.consortium.joined import log_name
from ledger.tlog.note import VerifierKey


@dataclass(frozen=True, slots=True)
class LogId:
    """One log. key: bears the origin as name. incarnation: which of its member's logs, from 1.

    ended: where it ended, as the manifest in force says; None for a log that is written.
    """

    member: str
    key: VerifierKey
    incarnation: int
    ended: EndedLog | None = None

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self.key.name

    @property
    def name(self) -> str:
        """As `ledger.consortium.joined` names it: "lender-4", and "lender-4.2" for its second log."""
        return log_name(self.key.name)


def logs_of(history: History) -> list[LogId]:
    """All that members write, in the manifest's order, then all that have ended, in the order in which they did.

    A manifest lists every log that ever ended (protocol section 14, S4), so the one in force is enough.
    """
    manifest = history.current
    written = [
        LogId(each.name, manifest.log_key(each.name), manifest.incarnation(each.name)) for each in manifest.members
    ]
    return [*written, *(LogId(log.member, manifest.ended_key(log), log.incarnation, log) for log in manifest.ended)]


def by_origin(history: History) -> Mapping[str, LogId]:
    """The same by origin."""
    return {log.origin: log for log in logs_of(history)}
