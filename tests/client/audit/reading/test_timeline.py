from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2

from client.audit.reading.timeline import EARLIEST, LATEST, MOST, WIDTHS, Timeline

TIMES = st.integers(EARLIEST, LATEST - 1)


def entry(time: int) -> bytes:
    return entry_pb2.Entry(time=time).SerializeToString()


def test_entries_are_counted_by_the_hour() -> None:
    timeline = Timeline()
    hour = EARLIEST + 7 * 3600
    timeline.count([entry(hour), entry(hour + 3599)])
    timeline.count([entry(hour + 3600), entry(hour)])
    assert timeline.facts() == {"width": 3600, "counts": [[hour, 3], [hour + 3600, 1]], "untimed": 0}


@given(st.lists(TIMES, max_size=60), st.integers(90, 100), st.integers(1, 20))
@settings(max_examples=50)
def test_no_entry_is_lost_and_the_buckets_stay_few(times, most, step) -> None:
    timeline = Timeline(most)
    for start in range(0, len(times), step):
        timeline.count(map(entry, times[start : start + step]))
    facts = timeline.facts()
    right = Counter(time // facts["width"] * facts["width"] for time in times)
    assert facts["counts"] == [list(pair) for pair in sorted(right.items())]
    assert facts["width"] in WIDTHS


def test_memory_is_bounded_however_long_the_log_is_and_whatever_its_author_says() -> None:
    timeline = Timeline()
    for start in range(EARLIEST, LATEST - 3600 * 1000, 3600 * 1000):
        timeline.count(entry(start + 3600 * number) for number in range(0, 1000, 3))
        assert len(timeline.facts()["counts"]) <= MOST
    assert timeline.width == WIDTHS[-1]


def test_each_width_divides_the_next_so_that_timelines_can_be_brought_to_one() -> None:
    assert all(wide % narrow == 0 for narrow, wide in itertools.pairwise(WIDTHS))
    one = Timeline()
    one.count([entry(EARLIEST), entry(EARLIEST + 3 * 86_400)])
    one.widen(7 * 86_400)
    assert sum(count for _, count in one.facts()["counts"]) == 2


def test_what_has_no_time_that_can_be_is_counted_apart() -> None:
    timeline = Timeline()
    timeline.count([b"\xff", entry(0), entry(LATEST), entry(2**64 - 1), entry(EARLIEST)])
    assert timeline.facts() == {"width": 3600, "counts": [[EARLIEST // 3600 * 3600, 1]], "untimed": 4}
