"""When this node came to hold what it holds of each log.

Two questions are answered from it: what a custodian held 30 s ago (protocol section 9, Q6), and how fresh a log is: how
long ago its author itself last told us that it has nothing newer (design section 4, freshness).
"""

from __future__ import annotations

from collections import defaultdict, deque

#: Arrivals closer together than this, in seconds, are kept as one, at the later time: the rate costs no memory.
_GRAIN = 1.0


class Arrivals:
    """By member. Times are seconds of a monotonic clock, handed in; `tolerance`: the policy's heads_seconds."""

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._seen: dict[str, deque[tuple[float, int]]] = defaultdict(deque)
        self._confirmed: dict[str, float] = {}
        self._started: float | None = None

    def note(self, member: str, size: int, now: float) -> None:
        """The log of `member` has `size` durable entries since `now`."""
        if self._started is None:
            self._started = now
        seen = self._seen[member]
        if len(seen) > 1 and now - seen[-2][0] < _GRAIN:
            seen.pop()
        seen.append((now, size))
        while len(seen) > 1 and seen[1][0] <= now - self._tolerance:
            seen.popleft()

    def confirm(self, member: str, now: float) -> None:
        """The author said at `now` that its newest head is the one held here."""
        self._confirmed[member] = now

    def held_before(self, member: str, now: float) -> int:
        """How many entries of that log were held a tolerance before `now`; 0 where this node is younger."""
        size = 0
        for at, held in self._seen[member]:
            if at > now - self._tolerance:
                break
            size = held
        return size

    def age(self, member: str, now: float) -> float | None:
        """Seconds since the author's last word or entry; None where it was not heard of since the start."""
        seen = self._seen[member]
        arrived = seen[-1][0] if len(seen) > 1 else None  # the first is what the disk held at the start
        times = [at for at in (arrived, self._confirmed.get(member)) if at is not None]
        return now - max(times) if times else None

    def running(self, now: float) -> float:
        """Seconds since the first arrival was noted, at the node's start."""
        return 0.0 if self._started is None else now - self._started
