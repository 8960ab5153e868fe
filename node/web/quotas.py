"""How much of this member's own daily quotas is used up, read out of its log as custodians count it."""

from __future__ import annotations

from collections.abc import Callable

from plimsoll.v1 import entry_pb2

from ledger.inquiry import DAY
from ledger.log import Log
from ledger.quota import Weights

_STEP = 4096


class Used:
    """inquiries and blinded elements of the last day. Grows with a day's entries, not with the log."""

    def __init__(self, own: Callable[[], Log]) -> None:
        self._own = own
        self._origin = ""
        self._next: dict[str, int] = {}
        self._weights: dict[str, Weights] = {}

    def today(self, kind: str, now: int) -> int:
        """Of a kind of entries, "inquiry" or "evaluation". now: Unix seconds."""
        log = self._own()
        if log.origin != self._origin:
            self._origin, self._next, self._weights = log.origin, {}, {}
        weights = self._weights.setdefault(kind, Weights())
        size = log.size
        after = self._next.get(kind)
        # The first time from the end back to what is too old; one's own times are in order but for seconds.
        found = log.entries_by_kind(kind, after or 0, size, reverse=after is None)
        for _, raw in found:
            time, weight = _weigh(raw)
            if after is None and time < now - 2 * DAY:
                break
            weights.add(time, weight)
        self._next[kind] = size
        weights.trim(now - 2 * DAY, 1 << 62)
        return weights.after(now - DAY)


def _weigh(raw: bytes) -> tuple[int, int]:
    entry = entry_pb2.Entry.FromString(raw)
    return entry.time, entry.evaluation.count if entry.HasField("evaluation") else 1
