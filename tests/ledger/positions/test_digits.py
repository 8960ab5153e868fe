"""Packed digits: they add up digit by digit up to 63 contributors, and not beyond."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Exhausted, InvalidInput
from ledger.positions import digits

digit_lists = st.integers(1, digits.MAX_DIGITS).flatmap(
    lambda count: st.lists(st.integers(0, 63), min_size=count, max_size=count)
)


@given(digit_lists)
def test_unpacking_undoes_packing(values: list[int]) -> None:
    assert digits.unpack(digits.pack(values), len(values)) == tuple(values)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=63))
def test_one_hot_digits_of_63_lenders_add_up_to_a_histogram(places: list[int]) -> None:
    total = sum(digits.one_hot(place, digits.BAND_DIGITS) for place in places)
    assert digits.unpack(total, digits.BAND_DIGITS) == tuple(places.count(place) for place in range(6))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1023)), min_size=1, max_size=63))
def test_tallies_of_63_lenders_add_up_to_classes_and_accounts(lenders: list[tuple[int, int]]) -> None:
    low = sum(digits.tallies(*lender)[0] for lender in lenders)
    high = sum(digits.tallies(*lender)[1] for lender in lenders)
    classes = [loan_class for loan_class, _ in lenders]
    assert low < digits.TALLY_LOW_LIMIT
    assert digits.unpack_tally_low(low) == (classes.count(0), sum(accounts for _, accounts in lenders))
    assert digits.unpack(high, digits.TALLY_HIGH_DIGITS) == tuple(classes.count(c) for c in range(1, 5))


def test_the_bits_are_those_of_the_design() -> None:
    assert digits.pack([1, 2, 3]) == 1 | 2 << 6 | 3 << 12
    assert digits.tallies(0, 5) == (1 | 5 << 6, 0)
    assert digits.tallies(1, 5) == (5 << 6, 1)
    assert digits.tallies(4, 5) == (5 << 6, 1 << 18)
    assert digits.one_hot(5, digits.BAND_DIGITS) == 1 << 30
    assert digits.one_hot(None, digits.OVERDUE_BAND_DIGITS) == 0


@given(st.integers(0, digits.TALLY_LOW_LIMIT - 1))
def test_tally_low_packs_and_unpacks(value: int) -> None:
    passing, accounts = digits.unpack_tally_low(value)
    if accounts <= digits.MAX_ACCOUNTS * digits.MAX_CONTRIBUTORS:
        assert digits.pack_tally_low(passing, accounts) == value


@pytest.mark.parametrize("values", [[64], [-1], [0, 0, 64]])
def test_a_digit_beyond_six_bits_is_refused_and_named(values: list[int]) -> None:
    with pytest.raises(InvalidInput) as caught:
        digits.pack(values, "band")
    assert caught.value.path == f"band[{len(values) - 1}]"


@pytest.mark.parametrize(("value", "count"), [(-1, 6), (1 << 36, 6), (1 << 6, 1), (1, 0)])
def test_a_number_of_more_digits_is_refused(value: int, count: int) -> None:
    with pytest.raises(InvalidInput):
        digits.unpack(value, count)


@pytest.mark.parametrize(
    ("passing", "accounts"), [(-1, 0), (64, 0), (0, -1), (0, digits.MAX_ACCOUNTS * digits.MAX_CONTRIBUTORS + 1)]
)
def test_tallies_out_of_range_are_refused(passing: int, accounts: int) -> None:
    with pytest.raises(InvalidInput):
        digits.pack_tally_low(passing, accounts)


@pytest.mark.parametrize(("loan_class", "accounts"), [(-1, 0), (5, 0), (0, -1), (0, 1024)])
def test_a_lenders_own_tally_out_of_range_is_refused(loan_class: int, accounts: int) -> None:
    with pytest.raises(InvalidInput):
        digits.tallies(loan_class, accounts)


@pytest.mark.parametrize("value", [-1, digits.TALLY_LOW_LIMIT])
def test_a_tally_that_63_lenders_cannot_reach_is_refused(value: int) -> None:
    with pytest.raises(InvalidInput):
        digits.unpack_tally_low(value)


@pytest.mark.parametrize("place", [-1, 6])
def test_a_band_that_does_not_exist_is_refused(place: int) -> None:
    with pytest.raises(InvalidInput):
        digits.one_hot(place, digits.BAND_DIGITS, "band")


def test_the_64th_contributor_is_refused_with_a_clear_error() -> None:
    assert digits.check_contributors(63) == 63
    with pytest.raises(Exhausted) as caught:
        digits.check_contributors(64)
    assert (caught.value.reason, caught.value.path) == ("TOO_MANY_CONTRIBUTORS", "contributors")
    with pytest.raises(InvalidInput):
        digits.check_contributors(0)
