"""Section 12: which numbers are read from points, and which cannot be."""

from __future__ import annotations

import pytest

from tests.second import reading
from tests.second.group import G
from tests.second.query_world import (
    CONSORTIUM,
)

SUMS = {
    "outstanding": 25_584, "monthly_due": 2_558, "credit_limit": 51_168, "tally_low": 3 + (5 << 6),
    "tally_high": 1 << 12, "band": 1 + (2 << 6) + (1 << 24), "overdue_band": 1 << 18,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({}, []),
        ({"outstanding": None}, ["OUT_OF_RANGE:outstanding"]),
        ({"monthly_due": None, "overdue_band": None}, ["OUT_OF_RANGE:monthly_due", "UNREADABLE:overdue_band"]),
        ({"tally_high": 0}, ["CLASSES"]),
        ({"tally_low": None}, ["UNREADABLE:tally_low"]),
        ({"tally_low": 3 + (3 << 6)}, ["ACCOUNTS"]),
        ({"tally_low": 3 + (4 << 6)}, []),
        ({"tally_low": 3 + (4092 << 6)}, []),
        ({"tally_low": 3 + (4093 << 6)}, ["ACCOUNTS"]),
        ({"band": 4, "outstanding": 4 * 999}, []),
        ({"band": 4, "outstanding": 4 * 999 + 1}, ["BAND_SUM"]),
        ({"band": 3, "outstanding": 1}, ["BANDS"]),
        ({"band": 4 << 30, "outstanding": 4 * 50_000}, []),
        ({"band": 4 << 30, "outstanding": 4 * 50_000 - 1}, ["BAND_SUM"]),
        ({"band": 4 << 30, "outstanding": 4 << 40}, []),
        ({"band": 4 << 30, "outstanding": (4 << 40) + 1}, ["BAND_SUM"]),
    ],
)
def test_plausibility(changed, failed):
    assert reading.failed_checks({**SUMS, **changed}, 4, CONSORTIUM) == failed


def test_plausibility_of_withheld_amounts():
    packed = {name: value for name, value in SUMS.items() if name not in reading.AMOUNTS}
    assert reading.failed_checks(packed, 4, CONSORTIUM) == []
    assert reading.failed_checks({**packed, "band": 3}, 4, CONSORTIUM) == ["BANDS"]


@pytest.mark.parametrize("value", [0, 1, 16_383, 16_384, 16_385, (1 << 22) - 1])
def test_sums_are_read_below_the_limit(value):
    assert reading.logarithm(value * G, 22) == value
    assert reading.logarithm((value + (1 << 22)) * G, 22) is None
    assert reading.logarithm(-(value + 1) * G, 22) is None


def test_packed_digits_are_read_up_to_the_number_of_contributors():
    value = 2 + (1 << 6) + (3 << 18)
    assert reading.packed(value * G, 4, 6) == value
    assert reading.packed(value * G, 4, 5) is None
    assert reading.packed((value + (1 << 24)) * G, 4, 7) is None
