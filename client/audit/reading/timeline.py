"""How many entries a log got when, by its author's clock, in memory that does not grow with the log.

Counts stand in buckets of one width, each starting at a multiple of it since 1970. When there are too many the next
width is taken, of which the last is a divisor, so that buckets merge whole; timelines of several logs can be brought to
the widest of their widths in the same way. An author's clock may say anything: times that cannot be are counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from plimsoll.v1 import entry_pb2

HOUR, DAY = 3600, 86_400
WIDTHS = (HOUR, 6 * HOUR, DAY, 7 * DAY, 28 * DAY, 364 * DAY)
"""Seconds; each divides the next."""
#: Unix seconds: 2015-01-01 and 2100-01-01. Of the widest buckets there are fewer than 90 between them.
EARLIEST, LATEST = 1_420_070_400, 4_102_444_800
MOST = 400


class Timeline:
    """Of one log. untimed: entries that are not sound in form, or whose time is before 2015 or not before 2100."""

    def __init__(self, most: int = MOST) -> None:
        """most: how many buckets are kept."""
        self._most = most
        self._counts: Counter[int] = Counter()
        self.width = WIDTHS[0]
        self.untimed = 0

    def count(self, entries: Iterable[bytes]) -> None:
        """Takes further entries in."""
        self.count_times([_time(entry) for entry in entries])

    def count_times(self, times: Sequence[int]) -> None:
        """Takes further entries in, of which the times are known; -1 for what is not sound in form."""
        good = 0
        for time, count in Counter(times).items():
            if EARLIEST <= time < LATEST:
                self._counts[time // self.width * self.width] += count
                good += count
        self.untimed += len(times) - good
        while len(self._counts) > self._most and self.width != WIDTHS[-1]:
            self.widen(WIDTHS[WIDTHS.index(self.width) + 1])

    def widen(self, width: int) -> None:
        """Merges the buckets into those of one of the greater WIDTHS."""
        merged: Counter[int] = Counter()
        for start, count in self._counts.items():
            merged[start // width * width] += count
        self._counts, self.width = merged, width

    @classmethod
    def of(cls, width: int, counts: Iterable[tuple[int, int]], untimed: int, most: int = MOST) -> Timeline:
        """The one of these facts. Raises ValueError for what no timeline tells."""
        timeline = cls(most)
        timeline.width, timeline.untimed = WIDTHS[WIDTHS.index(width)], untimed
        for start, count in counts:
            if start % width or not EARLIEST - width < start < LATEST or count < 1 or start in timeline._counts:
                raise ValueError("not a bucket of a timeline")
            timeline._counts[start] = count
        if len(timeline._counts) > most:
            raise ValueError("more buckets than a timeline has")
        return timeline

    def facts(self) -> dict[str, Any]:
        """For programs: counts are [start of the bucket in Unix seconds, entries], ascending, without empty ones."""
        counts = [[start, count] for start, count in sorted(self._counts.items())]
        return {"width": self.width, "counts": counts, "untimed": self.untimed}


def _time(entry: bytes) -> int:
    try:
        return entry_pb2.Entry.FromString(entry).time
    except DecodeError:
        return -1
