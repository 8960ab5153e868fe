"""What is told once, however often it is so: where first, and how often."""

from __future__ import annotations

from collections.abc import Iterator

from client.audit.report import Finding


class Notices:
    """Of one log, by reason; there are a handful of reasons, so a flood takes no memory."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, int, str]] = {}

    def note(self, reason: str, index: int, message: str, count: int = 1) -> None:
        """Once more, at `index`. message: of the first."""
        first, before, told = self._found.get(reason, (index, 0, message))
        self._found[reason] = first, before + count, told

    def remarks(self, member: str) -> Iterator[Finding]:
        """One a reason."""
        for reason, (first, count, message) in self._found.items():
            more = f"; {count} in all" if count > 1 else ""
            yield Finding(member, first, reason, message + more)
