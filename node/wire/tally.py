"""How calls ended, counted for monitoring: by call and by reason, and by nothing that says whom they were about."""

from __future__ import annotations

from collections import Counter

#: Kinds of ends that are counted apart; a caller cannot make up more.
MOST = 2048


class Tally:
    """By (call, reason), "OK" where it was served. To be used from the event loop's thread."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def note(self, call: str, reason: str) -> None:
        """One more."""
        key = (call, reason)
        if key not in self.counts and len(self.counts) >= MOST:
            key = ("other", "other")
        self.counts[key] += 1
