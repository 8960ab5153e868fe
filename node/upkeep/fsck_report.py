"""What `plimsoll fsck` found, for programs and for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

Show = Callable[[str, int, int], object]
"""Told a phase, how much of it is done, and of how much (0: not known)."""

OK, REPAIRED, FORGOTTEN, DAMAGED = "ok", "repaired", "forgotten", "damaged"


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one part. what: the name of a log, "witnessed heads", "book", "custody" or "store". verdict: one of the four
    above. todo: what the operator should do, "" for nothing."""

    what: str
    verdict: str
    size: int = 0
    reason: str = ""
    message: str = ""
    path: str = ""
    todo: str = ""


@dataclass(slots=True)
class Report:
    """What was found."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is damaged (any more)."""
        return all(finding.verdict != DAMAGED for finding in self.findings)

    def facts(self) -> dict[str, object]:
        """For programs."""
        return {"verdict": "ok" if self.clean else "bad", "findings": [asdict(finding) for finding in self.findings]}

    def lines(self) -> list[str]:
        """For people."""
        lines = []
        for each in self.findings:
            where = f" {each.path}:" if each.path else ""
            why = f":{where} {each.message} [{each.reason}]" if each.reason else ""
            todo = f"; {each.todo}" if each.todo else ""
            unit = {"book": "borrowers", "custody": "state", "witnessed heads": "of them"}.get(each.what, "entries")
            lines.append(f"{each.what}: {each.verdict}, {each.size} {unit}{why}{todo}")
        return lines
