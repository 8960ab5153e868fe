"""Who is asked about when: within quotas, spread, in order, and without a burst after an outage."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.monitoring import Schedule
from ledger.monitoring.schedule import LONGEST_BACKOFF, Pace, backoff, choose, due, earliest, pace
from ledger.queries.inquiry import DAY

NOW = 1_750_000_000
ID = st.integers(0, (1 << 64) - 1).map("{:016x}".format)


@given(st.integers(1, 100), st.integers(1, 10**6), st.integers(1, 100), st.integers(1, 1000))
def test_no_day_has_more_questions_than_the_shares(share: int, daily: int, borrower: int, queries: int) -> None:
    allowed = pace(Schedule(7, share, borrower), daily, queries)
    a_day = -(-DAY // allowed.gap)  # those that begin within any day, at most
    assert a_day <= max(1, share * daily // 100)
    assert allowed.per_borrower <= max(1, borrower * queries // 100)


def test_the_default_leaves_most_of_the_quotas_to_people() -> None:
    assert pace(Schedule(), 100_000, 3) == Pace(5, 2)


@given(ID, st.integers(1, 366))
def test_the_first_question_is_due_at_once(identity: str, every: int) -> None:
    assert due(identity, NOW, 0, every) == NOW


@given(ID, st.integers(1, 366), st.integers(0, 400 * DAY))
def test_the_next_one_is_neither_too_soon_nor_too_late(identity: str, every: int, later: int) -> None:
    answered = NOW + later
    period = every * DAY
    following = due(identity, NOW, answered, every)
    assert period // 2 <= following - answered < period + period // 2 + 1
    assert due(identity, NOW, following, every) == following + period, "once in step, always in step"
    assert due(identity, NOW, following + period // 2 - 1, every) == following + period, "a late answer moves nothing"


def test_a_portfolio_spreads_over_the_days() -> None:
    ids = [f"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}" for number in range(7000)]
    days = [(due(identity, NOW, NOW, 7) - NOW) // DAY for identity in ids]
    assert {days.count(day) // 100 for day in set(days)} <= set(range(4, 12))


def test_a_borrower_is_asked_about_only_so_often_a_day() -> None:
    assert earliest(NOW, 0, [], 1) == NOW
    assert earliest(NOW, 0, [NOW - 60], 1) == NOW - 60 + DAY
    assert earliest(NOW, 0, [NOW - 60], 2) == NOW
    assert earliest(NOW, 0, [NOW - 90, NOW - 60], 2) == NOW - 90 + DAY
    assert earliest(NOW, NOW + 5, [], 2) == NOW + 5


@given(st.lists(st.tuples(st.integers(0, 3 * DAY), ID), min_size=1, max_size=30, unique_by=lambda each: each[1]))
@settings(max_examples=50)
def test_what_an_outage_left_is_caught_up_one_by_one_in_order(waiting: list[tuple[int, str]]) -> None:
    gap, now, last, asked = 300, 2 * DAY, 0, []
    left = set(waiting)
    while (chosen := choose(left, last, gap, 0)) is not None:
        at, identity = chosen
        now = max(now, at)
        assert now - last >= gap or not last
        asked.append(next(each for each in left if each[1] == identity))
        left.remove(asked[-1])
        last = now
    assert asked == sorted(waiting)


def test_nobody_is_asked_about_while_others_are_away() -> None:
    assert choose([(NOW, "a")], NOW - 1000, 5, NOW + 60) == (NOW + 60, "a")
    assert choose([], NOW, 5, 0) is None


@pytest.mark.parametrize(("failures", "seconds"), [(1, 60), (2, 120), (6, 1920), (7, LONGEST_BACKOFF), (10**6, 3600)])
def test_waiting_grows_and_ends_at_an_hour(failures: int, seconds: int) -> None:
    assert backoff(failures) == seconds
