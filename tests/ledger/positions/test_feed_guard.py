"""A feed that would change too much is told from a day's business."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.classification import Classification
from ledger.positions.feed_guard import FORMAT, Bounds, Difference, breaches, parse_bounds
from ledger.positions.loan import Loan

LOAN = Loan("L1", "card", 10_000, 5_000, 500, 0, 0, Classification.PASS, True, 20_000)
ZEROED = replace(LOAN, credit_limit=0)
CLOSED = replace(LOAN, open=False, outstanding=0)
WORSE = replace(LOAN, classification=Classification.LOSS)
BOUNDS = Bounds()


def found(count, *, held=(LOAN,), after=(LOAN,), book=1000, last=0, bounds=BOUNDS):
    """Codes, for a feed of so many borrowers that all change alike."""
    difference = Difference()
    for _ in range(count):
        difference.add(held, after, 1)
    return [each.code for each in breaches(difference, bounds, book, last)]


def test_a_feed_that_says_what_is_known_passes():
    assert found(1000, last=1000) == []


def test_the_accident_that_zeroes_thousands_of_limits_is_stopped():
    assert found(1000, after=(ZEROED,)) == ["ZEROED_LIMITS"]


@pytest.mark.parametrize(("count", "stopped"), [(99, False), (100, False), (101, True)])
def test_few_borrowers_are_business_whatever_they_do(count, stopped):
    """2 % of 5,000 borrowers is 100."""
    assert (found(count, after=(ZEROED,), book=5000) == ["ZEROED_LIMITS"]) == stopped


def test_a_small_book_may_change_as_a_whole():
    assert found(50, after=(CLOSED,), book=50) == []


@pytest.mark.parametrize(
    ("after", "code"),
    [((CLOSED,), "CLOSED_LOANS"), ((WORSE,), "WORSE_CLASSES")],
)
def test_what_many_borrowers_go_through_at_once_is_stopped(after, code):
    assert code in found(200, after=after)
    assert code not in found(200, after=after, book=10_000)


def test_classes_that_get_better_all_at_once_are_stopped_too():
    assert found(300, held=(WORSE,)) == ["BETTER_CLASSES"]


def test_totals_count_where_the_feed_is_much_of_the_book():
    ten = replace(LOAN, outstanding=50_000)
    assert found(200, after=(ten,)) == ["TOTAL_ROSE"]
    assert found(200, after=(replace(LOAN, outstanding=3_000),)) == ["TOTAL_FELL"]
    assert found(200, after=(ten,), book=1001) == []
    assert found(200, after=(replace(LOAN, outstanding=6_500),)) == []


def test_new_borrowers_are_no_accident():
    assert found(5000, held=(), book=5000) == []


def test_nor_is_a_first_feed_of_which_a_crash_let_only_a_part_into_the_book():
    """It is sent again whole: what it adds to the book's total are borrowers that are new."""
    difference = Difference()
    for held in [(LOAN,)] * 300 + [()] * 1200:
        difference.add(held, (LOAN,), 1)
    assert breaches(difference, BOUNDS, 300, 0) == ()
    assert difference.before == difference.after


def test_a_feed_that_was_cut_short_is_stopped_where_feeds_have_the_whole_book():
    whole = replace(BOUNDS, rows=20)
    assert found(100, last=1000, bounds=whole) == ["FEW_ROWS"]
    assert found(200, last=1000, bounds=whole) == []
    assert found(1, last=99, bounds=whole) == []
    assert found(1, last=10_000) == []


def test_a_bound_above_everything_never_stops():
    open_ended = replace(BOUNDS, zeroed=101, total=10_000)
    assert found(1000, after=(ZEROED,), bounds=open_ended) == []


@given(
    st.lists(st.tuples(st.sampled_from([(), (LOAN,)]), st.sampled_from([(LOAN,), (ZEROED,), (CLOSED,), (WORSE,)]))),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)
def test_stricter_bounds_never_find_less(changes, book, last):
    difference = Difference()
    for held, after in changes:
        difference.add(held, after, 1)
    strict = Bounds(from_borrowers=1, zeroed=0, closed=0, worse=0, better=0, total=0, total_from=0, rows=100)
    loose = {each.code for each in breaches(difference, BOUNDS, book, last)}
    assert loose <= {each.code for each in breaches(difference, strict, book, last)}


def test_bounds_are_read_strictly():
    assert parse_bounds(f'format = "{FORMAT}"\nclosed = 50\n'.encode()) == replace(BOUNDS, closed=50)
    for text, path in (
        ("closed = 1", "format"),
        (f'format = "{FORMAT}"\nclosed = -1', "closed"),
        (f'format = "{FORMAT}"\nclozed = 1', "clozed"),
        (f'format = "{FORMAT}"\nfrom_borrowers = 0', "from_borrowers"),
    ):
        with pytest.raises(InvalidInput) as refused:
            parse_bounds(text.encode())
        assert refused.value.path == path


@given(st.binary(max_size=100))
def test_nothing_but_our_own_errors_comes_out(raw):
    try:
        parse_bounds(raw)
    except PlimsollError:
        return
