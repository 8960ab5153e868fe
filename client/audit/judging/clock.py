"""Whether the times of a log's entries can be (docs/cli.md, audit run: clocks).

Entries are dated by their author's clock, which may be wrong without anybody lying: what is told here are remarks.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from client.audit.judging.notices import Notices

#: Seconds by which clocks may differ, or one may be set back, before it is told.
TOLERANCE = 300
WENT_BACK, AHEAD = "CLOCK_WENT_BACK", "CLOCK_AHEAD"

Limit = tuple[int, int]
"""(size of a head, the time by which it was seen): all entries below it had been made by then."""


class Clock:
    """Of one log, its entries in order. latest: the greatest time so far, -1 at the beginning."""

    def __init__(self, notices: Notices, limits: Sequence[Limit] = (), latest: int = -1) -> None:
        self.latest = latest
        self._notices = notices
        # Of a larger head that was seen earlier a smaller one says nothing more.
        self._limits: list[Limit] = []
        for size, time in sorted(limits, reverse=True):
            if not self._limits or time < self._limits[-1][1]:
                self._limits.append((size, time))
        self._limits.reverse()

    def take(self, start: int, times: array[int]) -> None:
        """The times of the entries from index `start` on; -1 where there is none."""
        known = [time for time in times if time >= 0]
        if not known:
            return
        if known != sorted(known) or known[0] < self.latest - TOLERANCE:
            self._look_back(start, times)
        self._look_ahead(start, times, max(known))
        self.latest = max(self.latest, *known) if len(known) > 1 else max(self.latest, known[0])

    def _look_back(self, start: int, times: array[int]) -> None:
        latest = self.latest
        for index, time in enumerate(times, start):
            if 0 <= time < latest - TOLERANCE:
                self._notices.note(WENT_BACK, index, f"dated {latest - time} seconds before an entry ahead of it")
            latest = max(latest, time)

    def _look_ahead(self, start: int, times: array[int], newest: int) -> None:
        for size, time in self._limits:
            if start < size and newest > time + TOLERANCE:
                self._look_for(start, times[: size - start], time)
                return  # later ones are further on, and allow more

    def _look_for(self, start: int, times: array[int], limit: int) -> None:
        for index, time in enumerate(times, start):
            if time > limit + TOLERANCE:
                self._notices.note(AHEAD, index, f"dated {time - limit} seconds after a head over it was seen")
