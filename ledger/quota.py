"""Quotas, counted from what stands in a log and from nothing else (protocol, 6 and 9).

The rule is about a log: of the entries of a kind up to a given one, those with a time later than a day before that
one's. Times are the author's and may go back and forth, so no entry can be told to be out of reach of a later one by
its place; every entry is looked at once, in order. Local counters would let a member try its luck at each custodian.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Protocol

from ledger.cache import Cache
from ledger.inquiry import DAY

# An entry that is answered for the first time lies within policy.inquiry_seconds (at most a day) of the custodian's
# clock, so entries older than two days by that clock count for none that is still to come.
_HORIZON = 2 * DAY
_VERDICTS = 65_536

Weigh = Callable[[bytes], tuple[int, int]]
"""(time in Unix seconds, weight) of an entry's bytes."""


class Counted(Protocol):
    """The part of a log that counting needs."""

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of the entries of one kind, start .. stop - 1, ascending."""


class DailyQuota:
    """How much of one kind a log holds in the day before an entry, that entry included. Not for several threads.

    Keeps two days of times and weights, and of those only as much as it takes to see that the limit is passed.
    """

    def __init__(self, log: Counted, kind: str, limit: int, weigh: Weigh) -> None:
        self._log = log
        self._kind = kind
        self._limit = limit
        self._weigh = weigh
        self._restart()

    def is_exceeded(self, index: int, now: int) -> bool:
        """Whether the entry at `index`, of this kind, brings its day above the limit. now: the clock, Unix seconds."""
        if index < self._next and self._exceeded.get(index) is None:
            self._restart()  # asked about one so far behind that its verdict is forgotten
        for place, entry in self._log.entries_by_kind(self._kind, self._next, index + 1):
            self._count(place, *self._weigh(entry), now - _HORIZON)
        return bool(self._exceeded.get(index))

    def _restart(self) -> None:
        self._next = 0
        self._times: list[int] = []
        self._totals: list[int] = [0]  # of the weights of _times[:i]; the first is what was trimmed away
        self._exceeded: Cache[int, bool] = Cache(_VERDICTS)

    def _count(self, index: int, time: int, weight: int, horizon: int) -> None:
        self._next = index + 1
        place = bisect_right(self._times, time)
        self._times.insert(place, time)
        self._totals.insert(place + 1, self._totals[place])
        for later in range(place + 1, len(self._totals)):
            self._totals[later] += weight
        counted = self._totals[-1] - self._totals[bisect_right(self._times, time - DAY)]
        self._exceeded.put(index, counted > self._limit)
        self._trim(horizon)

    def _trim(self, horizon: int) -> None:
        """Drops what is too old to count, and the oldest of what suffices to pass the limit whatever comes."""
        drop = bisect_right(self._times, horizon)
        enough = self._totals[-1] - self._limit - 1  # a rest that starts with this total or less passes the limit
        drop = max(drop, bisect_right(self._totals, enough) - 1)
        if drop > len(self._times) // 2:  # seldom, so that a trim costs nothing on average
            del self._times[:drop], self._totals[:drop]
