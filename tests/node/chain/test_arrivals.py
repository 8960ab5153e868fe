"""What was held a while ago, and how fresh a log is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.chain.arrivals import Arrivals

TOLERANCE = 30.0


def test_what_has_just_arrived_was_not_held_a_tolerance_ago():
    arrivals = Arrivals(TOLERANCE)
    arrivals.found("a", 0, 90.0)
    arrivals.note("a", 7, 100.0)
    assert arrivals.held_before("a", 129.0) == 0
    assert arrivals.held_before("a", 130.0) == 7


def test_what_the_disk_held_at_the_start_was_held_before():
    """A custodian that was restarted must not accept heads that leave out half a log."""
    arrivals = Arrivals(TOLERANCE)
    arrivals.found("a", 7, 100.0)
    arrivals.note("a", 9, 101.0)
    assert arrivals.held_before("a", 101.0) == 7
    assert arrivals.held_before("a", 131.0) == 9


def test_an_unknown_log_held_nothing_and_has_no_age():
    arrivals = Arrivals(TOLERANCE)
    assert arrivals.held_before("a", 1e9) == 0
    assert arrivals.age("a", 1e9) is None


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 9)), min_size=1, max_size=60), st.floats(0, 120))
def test_what_is_said_to_have_been_held_was_held_at_most_a_second_later(steps, after):
    arrivals, now, size, history = Arrivals(TOLERANCE), 0.0, 0, []
    for wait, more in steps:
        now, size = now + wait, size + more
        history.append((now, size))
        arrivals.note("a", size, now)
    asked = now + after
    held = arrivals.held_before("a", asked)
    surely = max([s for at, s in history if at <= asked - TOLERANCE - 1.0], default=0)
    truly = max([s for at, s in history if at <= asked - TOLERANCE], default=0)
    assert surely <= held <= truly


def test_memory_does_not_grow_with_the_rate_of_arrivals():
    arrivals = Arrivals(TOLERANCE)
    for step in range(100_000):
        arrivals.note("a", step, step / 1000)
    assert len(arrivals._seen["a"]) < 2 * TOLERANCE + 5


def test_age_counts_from_the_last_word_of_the_author():
    arrivals = Arrivals(TOLERANCE)
    arrivals.found("a", 1, 0.0)
    assert arrivals.age("a", 10.0) is None
    arrivals.confirm("a", 14.0)
    assert arrivals.age("a", 15.0) == 1.0
    arrivals.confirm("a", 12.0)  # a heartbeat that was long on its way, or whose author's clock is slow
    assert arrivals.age("a", 15.0) == 1.0


def test_entries_that_arrive_make_no_log_look_alive():
    """Others pass them on, however old they are."""
    arrivals = Arrivals(TOLERANCE)
    arrivals.found("a", 1, 0.0)
    arrivals.confirm("a", 10.0)
    arrivals.note("a", 2, 500.0)
    assert arrivals.age("a", 512.0) == 502.0
    assert arrivals.held_before("a", 512.0) == 1
