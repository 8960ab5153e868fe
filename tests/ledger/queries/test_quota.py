"""Quotas are a function of the log: whoever counts, in whatever order, whenever started, counts the same."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.queries.inquiry import DAY
from ledger.queries.quota import _BLOCK as BLOCK
from ledger.queries.quota import DailyQuota, Weights

NOW = 1_760_000_000


class Log:
    """Entries are (time, weight), all of the kind that is counted."""

    def __init__(self, *entries: tuple[int, int]) -> None:
        self.written = list(entries)
        self.read = 0

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None):
        assert kind == "inquiry"
        for index, entry in list(enumerate(self.written))[start:stop]:
            self.read += 1
            yield index, repr(entry).encode()


def weigh(entry: bytes) -> tuple[int, int]:
    time, weight = entry.decode().strip("()").split(",")
    return int(time), int(weight)


def quota(log: Log, limit: int) -> DailyQuota:
    return DailyQuota(log, "inquiry", limit, weigh)


def exceeded(entries: list[tuple[int, int]], index: int, limit: int) -> bool:
    """The protocol's sentence (section 9, Q9): of the entries up to this one, those with time > its time - a day."""
    time = entries[index][0]
    return sum(weight for then, weight in entries[: index + 1] if then > time - DAY) > limit


recent = st.integers(NOW - DAY, NOW + 120)
anytime = recent | st.integers(0, 2**64 - 1) | st.sampled_from([NOW, NOW - DAY, NOW - DAY + 1, NOW - 2 * DAY])
histories = st.lists(st.tuples(anytime, st.integers(1, 5)), min_size=1, max_size=60)


@given(histories, st.integers(1, 40), st.data())
def test_it_counts_what_the_protocol_says_for_whatever_may_still_be_answered(entries, limit, data):
    log = Log(*entries)
    counted = quota(log, limit)
    order = data.draw(st.lists(st.integers(0, len(entries) - 1), max_size=30))
    for index in [*order, len(entries) - 1]:
        if abs(entries[index][0] - NOW) <= DAY:  # no other is ever answered for the first time
            assert counted.is_exceeded(index, NOW) == exceeded(entries, index, limit)


def test_an_old_entry_in_between_hides_nothing():
    log = Log((NOW, 3), (0, 1), (0, 1), (NOW, 3))
    assert quota(log, 5).is_exceeded(3, NOW)
    assert not quota(log, 6).is_exceeded(3, NOW)


def test_entries_of_the_future_count():
    assert quota(Log((2**60, 1), (NOW, 1)), 1).is_exceeded(1, NOW)


def test_later_entries_do_not_count_against_an_earlier_one():
    log = Log(*[(NOW, 1)] * 10)
    counted = quota(log, 5)
    assert counted.is_exceeded(9, NOW)
    assert [counted.is_exceeded(index, NOW) for index in (3, 4, 5)] == [False, False, True]


def test_a_restart_changes_nothing():
    log = Log(*[(NOW + n, 1) for n in range(50)])
    counted = quota(log, 20)
    for index in range(50):
        assert counted.is_exceeded(index, NOW) == quota(log, 20).is_exceeded(index, NOW) == (index >= 20)


def test_the_window_is_a_day_to_the_second():
    for gap, over in ((DAY - 1, True), (DAY, False)):
        assert quota(Log((NOW - gap, 1), (NOW, 1)), 1).is_exceeded(1, NOW) == over


def test_each_entry_is_read_once():
    log = Log(*[(NOW, 1)] * 100)
    counted = quota(log, 1000)
    for index in range(100):
        counted.is_exceeded(index, NOW)
    assert log.read == 100


@pytest.mark.parametrize("times", [lambda n: NOW + n, lambda n: NOW - n, lambda n: 2**60, lambda n: 2**60 - n])
def test_memory_is_bounded_by_the_limit_whatever_stands_in_the_log(times):
    log = Log(*[(times(n), 1) for n in range(5000)])
    counted = quota(log, 10)
    assert counted.is_exceeded(4999, NOW)
    assert len(counted._weights) <= 10 + 2 * BLOCK


def test_memory_is_bounded_by_two_days_of_entries():
    log = Log(*[(NOW + 3600 * n, 1) for n in range(5000)])
    counted = quota(log, 10**6)
    for index in range(5000):
        assert not counted.is_exceeded(index, NOW + 3600 * index)
    assert len(counted._weights) <= 48 + 2 * BLOCK


@pytest.mark.parametrize("times", [lambda n: NOW + 100 - n, lambda n: 2**60 - n])
def test_an_author_cannot_make_counting_dear(times):
    """Entries that go back in time, one after the other: what is counted for each must not be moved for the next."""
    count = 40_000
    counted = quota(Log(*[(times(n), 1) for n in range(count)]), 10**6)
    started = process_time()
    counted.is_exceeded(count - 1, NOW)
    assert process_time() - started < 10  # some 0.4 s; two minutes where each entry moves all others


def test_an_old_entry_asked_about_again_is_not_counted_again():
    """Asking by turns about the first and the last of many entries would make a custodian count all day."""
    count = 150_000
    log = Log(*[(NOW, 1)] * count)
    counted = quota(log, 10)
    for _ in range(20):
        assert not counted.is_exceeded(0, NOW)
        assert counted.is_exceeded(count - 1, NOW)
    assert log.read == count


@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 9)), max_size=2000), st.integers(-1, 9001))
def test_weights_are_added_up_like_a_list(entries, after):
    weights = Weights()
    for time, weight in entries:
        weights.add(time, weight)
    assert weights.after(after) == sum(weight for time, weight in entries if time > after)
    assert len(weights) == len({time for time, _ in entries})
