"""Waiting."""

from __future__ import annotations

import pytest

from ledger.ceremony.patience import Patience, Timing


def test_a_wait_begins_when_something_is_first_so() -> None:
    patience = Patience()
    patience.look(100.0)
    assert not patience.is_over("closed", 5)
    assert patience.due == 105.0
    patience.look(104.0)
    assert not patience.is_over("closed", 5)
    patience.look(105.0)
    assert patience.is_over("closed", 5)
    assert patience.due is None


def test_due_is_the_earliest_end() -> None:
    patience = Patience()
    patience.look(100.0)
    assert not patience.is_over("a", 30)
    assert not patience.is_over("b", 10)
    assert not patience.is_over("c", 20)
    assert patience.due == 110.0


def test_no_wait_is_over_at_once() -> None:
    patience = Patience()
    patience.look(100.0)
    assert patience.is_over("a", 0)


def test_a_clock_that_went_back_only_prolongs_a_wait() -> None:
    patience = Patience()
    patience.look(100.0)
    assert not patience.is_over("a", 5)
    patience.look(50.0)
    assert not patience.is_over("a", 5)
    assert patience.due == 105.0


@pytest.mark.parametrize(("number", "wait"), [(1, 0), (2, 10), (3, 20), (4, 40), (9, 1280), (99, 3600), (10**6, 3600)])
def test_each_attempt_waits_twice_as_long_as_the_one_before(number: int, wait: float) -> None:
    assert Timing().before_attempt(number) == wait
