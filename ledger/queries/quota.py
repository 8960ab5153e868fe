"""Quotas, counted from what stands in a log and from nothing else (protocol, 6 and 9).

The rule is about a log: of the entries of a kind up to a given one, those with a time later than a day before that
one's. Times are the author's and may go back and forth, so no entry can be told to be out of reach of a later one by
its place; every entry is looked at once, in order. Local counters would let a member try its luck at each custodian.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Protocol

from ledger.queries.inquiry import DAY

# An entry that is answered for the first time lies within policy.inquiry_seconds (at most a day) of the custodian's
# clock, so entries older than two days by that clock count for none that is still to come.
_HORIZON = 2 * DAY
_BLOCK = 512

Weigh = Callable[[bytes], tuple[int, int]]
"""(time in Unix seconds, weight) of an entry's bytes."""


class Counted(Protocol):
    """The part of a log that counting needs."""

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of the entries of one kind, start .. stop - 1, ascending."""


class DailyQuota:
    """How much of one kind a log holds in the day before an entry, that entry included. Not for several threads.

    Keeps two days of times and weights, and of those only as much as it takes to see that the limit is passed; and one
    bit for each entry of the log.
    """

    def __init__(self, log: Counted, kind: str, limit: int, weigh: Weigh) -> None:
        self._log = log
        self._kind = kind
        self._limit = limit
        self._weigh = weigh
        self._next = 0
        self._weights = Weights()
        self._exceeded = bytearray()  # a bit by index: what was found once is never looked for again

    def is_exceeded(self, index: int, now: int) -> bool:
        """Whether the entry at `index`, of this kind, brings its day above the limit. now: the clock, Unix seconds."""
        for place, entry in self._log.entries_by_kind(self._kind, self._next, index + 1):
            self._count(place, *self._weigh(entry))
            self._weights.trim(now - _HORIZON, self._limit)
        byte, bit = divmod(index, 8)
        return byte < len(self._exceeded) and bool(self._exceeded[byte] >> bit & 1)

    def _count(self, index: int, time: int, weight: int) -> None:
        self._next = index + 1
        self._weights.add(time, weight)
        if self._weights.after(time - DAY) > self._limit:
            byte, bit = divmod(index, 8)
            self._exceeded.extend(bytes(max(0, byte + 1 - len(self._exceeded))))
            self._exceeded[byte] |= 1 << bit


class Weights:
    """Weights by time. In whatever order times come, adding and asking stay cheap: an author chooses them.

    Times in ascending order, in blocks of at most _BLOCK; weights of one time are added up.
    """

    def __init__(self) -> None:
        self._times: list[list[int]] = []
        self._weights: list[list[int]] = []
        self._last: list[int] = []  # time of each block
        self._sums: list[int] = []  # of each block's weights
        self._total = 0

    def __len__(self) -> int:
        """How many times are remembered."""
        return sum(map(len, self._times))

    def items(self) -> Iterator[tuple[int, int]]:
        """The times that are remembered, ascending, and the sum of the weights of each."""
        for times, weights in zip(self._times, self._weights, strict=True):
            yield from zip(times, weights, strict=True)

    def add(self, time: int, weight: int) -> None:
        """One more."""
        self._total += weight
        if not self._times:
            self._times, self._weights, self._last, self._sums = [[time]], [[weight]], [time], [weight]
            return
        block = min(bisect_left(self._last, time), len(self._last) - 1)
        times, weights = self._times[block], self._weights[block]
        place = bisect_left(times, time)
        if place < len(times) and times[place] == time:
            weights[place] += weight
        else:
            times.insert(place, time)
            weights.insert(place, weight)
        self._last[block] = times[-1]
        self._sums[block] += weight
        if len(times) > _BLOCK:
            self._split(block)

    def after(self, time: int) -> int:
        """The sum of the weights of later times."""
        block = bisect_right(self._last, time)
        if block == len(self._last):
            return 0
        place = bisect_right(self._times[block], time)
        return self._total - sum(self._sums[:block]) - sum(self._weights[block][:place])

    def trim(self, until: int, limit: int) -> None:
        """Drops blocks that end by `until`, and the first ones where the rest alone is above the limit."""
        drop, rest = 0, self._total
        while drop < len(self._last) and (self._last[drop] <= until or rest - self._sums[drop] > limit):
            rest -= self._sums[drop]
            drop += 1
        if drop:
            for column in (self._times, self._weights, self._last, self._sums):
                del column[:drop]
            self._total = rest

    def _split(self, block: int) -> None:
        half = _BLOCK // 2
        for column in (self._times, self._weights):
            column[block : block + 1] = [column[block][:half], column[block][half:]]
        self._last[block : block + 1] = [times[-1] for times in self._times[block : block + 2]]
        self._sums[block : block + 1] = [sum(weights) for weights in self._weights[block : block + 2]]
