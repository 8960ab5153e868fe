"""When this node came to hold what it holds of each log.

Two questions are answered from it: what a custodian held 30 s ago (protocol section 9, Q6), and how fresh a log is: how
long ago its author itself last told us that it has nothing newer (design section 4, freshness). Entries that arrive say
nothing of that: others pass them on, however old they are.
"""

from __future__ import annotations

from collections import defaultdict, deque
from math import inf

#: Arrivals closer together than this, in seconds, are kept as one, at the later time: the rate costs no memory.
_GRAIN = 1.0


class Arrivals:
    """By log (origin). Times are seconds of a monotonic clock, handed in; `tolerance`: the policy's heads_seconds."""

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._seen: dict[str, deque[tuple[float, int]]] = defaultdict(deque)
        self._confirmed: dict[str, float] = {}
        self._started: float | None = None

    def follow(self, tolerance: float) -> None:
        """From now on this is the policy's heads_seconds."""
        self._tolerance = tolerance

    def found(self, origin: str, size: int, now: float) -> None:
        """At the node's start: so much of that log is on the disk, hence was held before."""
        self._started = now if self._started is None else self._started
        self._seen[origin].append((-inf, size))

    def note(self, origin: str, size: int, now: float) -> None:
        """The log has `size` durable entries at `now`.

        That it has not grown says nothing: anybody can send again what is known already.
        """
        seen = self._seen[origin]
        if seen and size <= seen[-1][1]:
            return
        if len(seen) > 1 and now - seen[-2][0] < _GRAIN:
            seen.pop()
        seen.append((now, size))
        while len(seen) > 1 and seen[1][0] <= now - self._tolerance:
            seen.popleft()

    def confirm(self, origin: str, when: float) -> None:
        """The author said that its newest head is one that is held here; `when` is the older of its own time and that
        of the receipt. From any thread."""
        self._confirmed[origin] = max(when, self._confirmed.get(origin, -inf))

    def held_before(self, origin: str, now: float) -> int:
        """How many entries of that log were held a tolerance before `now`. From any thread."""
        size = 0
        for at, held in tuple(self._seen[origin]):  # a copy made in one step: the loop's thread goes on noting
            if at > now - self._tolerance:
                break
            size = held
        return size

    def age(self, origin: str, now: float) -> float | None:
        """Seconds since the author's last heartbeat; None where there was none since the start."""
        latest = self._confirmed.get(origin)
        return None if latest is None else max(0.0, now - latest)

    def running(self, now: float) -> float:
        """Seconds since the node's start."""
        return 0.0 if self._started is None else now - self._started
