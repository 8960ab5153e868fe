"""Promises of bands."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.positions.bands import Bands
from ledger.positions.loan import MAX_AMOUNT
from tests.ledger.loans import BANDS

OUTSTANDING = (10_000, 50_000, 100_000, 200_000, 500_000)
OVERDUE = (1_000, 10_000, 50_000, 200_000)


@pytest.mark.parametrize(
    ("amount", "band"),
    [
        (0, 0),
        (999_999, 0),
        (1_000_000, 1),
        (4_999_999, 1),
        (5_000_000, 2),
        (10_000_000, 3),
        (20_000_000, 4),
        (49_999_999, 4),
        (50_000_000, 5),
        (MAX_AMOUNT, 5),
    ],
)
def test_an_edge_belongs_to_the_band_above_it(amount: int, band: int) -> None:
    assert BANDS.outstanding_band(amount) == band


@pytest.mark.parametrize(
    ("amount", "band"),
    [(0, None), (1, 0), (99_999, 0), (100_000, 1), (1_000_000, 2), (5_000_000, 3), (19_999_999, 3), (20_000_000, 4)],
)
def test_nothing_overdue_is_in_no_band(amount: int, band: int | None) -> None:
    assert BANDS.overdue_band(amount) == band


@given(st.integers(0, MAX_AMOUNT))
@settings(max_examples=100)
def test_an_amount_lies_in_the_range_of_its_band_alone(amount: int) -> None:
    ranges = [BANDS.outstanding_range(band) for band in range(6)]
    assert [low <= amount <= high for low, high in ranges] == [b == BANDS.outstanding_band(amount) for b in range(6)]


def test_labels_are_upper_edges_in_major_units() -> None:
    assert BANDS.outstanding_labels() == ("10000", "50000", "100000", "200000", "500000", "above")
    assert BANDS.overdue_labels() == ("1000", "10000", "50000", "200000", "above")


def test_a_currency_without_minor_units_has_edges_as_they_are() -> None:
    yen = Bands.from_major(OUTSTANDING, OVERDUE, 1)
    assert (yen.outstanding_band(9_999), yen.outstanding_band(10_000)) == (0, 1)
    assert yen.outstanding_labels() == BANDS.outstanding_labels()


@pytest.mark.parametrize(
    ("outstanding", "overdue", "minor", "path"),
    [
        ((1, 2, 3, 4), OVERDUE, 100, "outstanding"),
        (OUTSTANDING, OUTSTANDING, 100, "overdue"),
        ((0, 2, 3, 4, 5), OVERDUE, 100, "outstanding[0]"),
        ((1, 2, 2, 4, 5), OVERDUE, 100, "outstanding[2]"),
        ((1, 2, 3, 4, 2**40), OVERDUE, 100, "outstanding[4]"),
        (OUTSTANDING, (1, 2, 3, -4), 100, "overdue[3]"),
        (OUTSTANDING, OVERDUE, 0, "minor_per_major"),
    ],
)
def test_edges_that_do_not_ascend_are_refused(
    outstanding: Sequence[int], overdue: Sequence[int], minor: int, path: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        Bands.from_major(outstanding, overdue, minor)
    assert caught.value.path == path
