"""Which borrower is asked about next, and when: the same for the same clock and state.

Every borrower has a time of its own within its days, so that a portfolio spreads over them. Between any two questions
lies a pause so long that a whole day of them, without any rest, is no more than the share of the quota: what an outage
has left behind is caught up at that pace, and never in a burst.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.monitoring.policy import Schedule
from ledger.queries.inquiry import DAY

FIRST_BACKOFF = 60
LONGEST_BACKOFF = 3600
"""Seconds without any question after one that failed because others are away; doubled each time."""
RETRY = 3600
"""Seconds until the same borrower is asked about again."""


@dataclass(frozen=True, slots=True)
class Pace:
    """gap: seconds between two questions at least. per_borrower: questions about one borrower in a day at most."""

    gap: int
    per_borrower: int


def pace(schedule: Schedule, inquiries_per_day: int, queries_per_borrower: int) -> Pace:
    """Within its share of both quotas; one question of each at least, or nothing could be watched."""
    daily = max(1, schedule.inquiry_share * inquiries_per_day // 100)
    return Pace(-(-DAY // daily), max(1, schedule.borrower_share * queries_per_borrower // 100))


def due(identity: str, added: int, answered: int, every: int) -> int:
    """When the borrower of the watch with this id (hex) is to be asked about, Unix seconds. added: when it was added;
    answered: when the last answer came, 0 before the first.

    At once the first time. Then at times that lie `every` days apart and whose place in these days is the id's, uniform
    as ids are random; the first of them that is no sooner than half of that after the last answer, so that an answer
    that came late moves nothing.
    """
    if not answered:
        return added
    period = every * DAY
    soonest = answered + period // 2
    return soonest + (int(identity, 16) - soonest) % period


def earliest(due_at: int, retry: int, begun: Sequence[int], per_borrower: int) -> int:
    """When that may be. begun: when questions about this borrower were begun, ascending, failed ones too."""
    free = begun[-per_borrower] + DAY if len(begun) >= per_borrower else 0
    return max(due_at, retry, free)


def choose(waiting: Iterable[tuple[int, str]], last: int, gap: int, pause_until: int) -> tuple[int, str] | None:
    """Whose turn it is, and at what time. waiting: (earliest, id). last: when the last question of all was begun.
    pause_until: others are away until then."""
    first = min(waiting, default=None)
    return None if first is None else (max(first[0], last + gap if last else 0, pause_until), first[1])


def backoff(failures: int) -> int:
    """Seconds to wait after so many failures in a row, 1 or more."""
    return min(LONGEST_BACKOFF, FIRST_BACKOFF << min(failures - 1, 16))
