"""How long a custodian waits for others in a key ceremony. Waits decide what it does next, never what counts."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds.

    close_wait: for further dealings, once there are t. reshare_wait: the same in a resharing, where more of them make
    nothing safer and a dealer may have lost what it would deal. settle: from a Close to the first Confirmation, for
    complaints to arrive. reveal_wait: for a dealer to answer a complaint. turn: custodian i waits i - 1 turns longer
    before it closes or confirms, so that others can follow the first. retry_wait: before the second attempt; each later
    one waits twice as long as the one before it, up to max_retry_wait. dealer_wait: in a resharing, for dealers to take
    the places of those that turned out bad, before the attempt is given up.
    """

    close_wait: float = 60.0
    reshare_wait: float = 10.0
    settle: float = 5.0
    reveal_wait: float = 60.0
    turn: float = 1.0
    retry_wait: float = 10.0
    max_retry_wait: float = 3600.0
    dealer_wait: float = 3600.0

    def before_attempt(self, number: int) -> float:
        """Seconds between a failure and attempt `number`."""
        if number <= 1:
            return 0.0
        return min(self.retry_wait * 2.0 ** min(number - 2, 64), self.max_retry_wait)


class Patience:
    """Since when something has been so, as far as this process has seen, and when to look again."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: float | None = None
        self._since: dict[Hashable, float] = {}

    def look(self, now: float) -> None:
        """Begins a look at the state of things at `now` (Unix seconds)."""
        self.now = now
        self.due = None

    def since(self, what: Hashable) -> float:
        """When `what` was first asked about; call it only while it is so."""
        return self._since.setdefault(what, self.now)

    def is_over(self, what: Hashable, wait: float) -> bool:
        """Whether it has been so for `wait` seconds; if not, `due` takes note of when it will."""
        end = self.since(what) + wait
        if self.now >= end:
            return True
        self.due = end if self.due is None else min(self.due, end)
        return False
