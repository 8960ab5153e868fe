from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import group
from ledger.errors import Exhausted
from ledger.positions.digits import pack, pack_tally_low
from ledger.positions.fields import AMOUNTS, FIELDS, PACKED
from ledger.queries.opening import _pieces, open_sums
from ledger.queries.plausibility import Sums
from tests.ledger.loans import BANDS
from tests.ledger.sample_consortium import small_table

BITS = 24


def points(**plaintexts: int) -> dict[int, bytes]:
    by_label = {field.label: field for field in FIELDS}
    return {by_label[name]: group.mul_base(group.scalar_from_int(m)) for name, m in plaintexts.items()}


def opened(contributors: int = 3, **plaintexts: int) -> Sums:
    zeros = {field.label: 0 for field in PACKED}
    return open_sums(points(**{**zeros, **plaintexts}), contributors, small_table(), BITS, BANDS)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2**20), min_size=3, max_size=3), st.permutations([1, 1, 1, 0, 0, 0]))
def test_what_was_added_up_is_read(amounts, bands):
    found = opened(
        outstanding=amounts[0],
        monthly_due=amounts[1],
        credit_limit=amounts[2],
        tally_low=pack_tally_low(2, 3000),
        tally_high=pack([0, 1, 0, 0]),
        band=pack(bands),
        overdue_band=pack([1, 0, 0, 0, 1]),
    )
    assert [found.amounts[field] for field in AMOUNTS] == amounts
    assert (found.tally, found.worse, found.bands, found.overdue_bands) == (
        (2, 3000),
        (0, 1, 0, 0),
        tuple(bands),
        (1, 0, 0, 0, 1),
    )
    assert found.classes == (2, 0, 1, 0, 0)
    assert {field: m for field, m in found.plaintexts().items() if field in AMOUNTS} == found.amounts


def test_amounts_that_are_not_released_are_not_looked_for():
    assert opened().amounts == {}


@pytest.mark.parametrize(("amount", "readable"), [(2**BITS - 1, True), (2**BITS, False), (-1, False)])
@pytest.mark.parametrize("field", AMOUNTS)
def test_amounts_are_looked_for_up_to_the_manifests_limit(field, amount, readable):
    plaintexts = {other.label: 5 for other in AMOUNTS} | {field.label: amount}
    assert opened(**plaintexts).amounts[field] == (amount if readable else None)


def test_digits_of_more_lenders_than_there_are_are_not_read():
    assert opened(contributors=2, band=pack([1, 1, 1])).bands is None
    assert opened(contributors=2, tally_high=pack([3])).worse is None
    assert opened(contributors=2, overdue_band=pack([0, 3])).overdue_bands is None
    assert opened(tally_low=1 << 22).tally is None
    assert opened(tally_low=(1 << 22) - 1).tally == (63, 65_535)


def test_an_amount_far_from_where_bands_put_it_is_still_found():
    # Three lenders below 10,000 in major units, they say; the sum says otherwise. That is for the checks to judge.
    found = opened(outstanding=2**23, monthly_due=2**22, credit_limit=5, band=pack([3]))
    assert list(found.amounts.values()) == [2**23, 2**22, 5]


def test_a_search_can_be_ended():
    endless = points(**{field.label: 0 for field in PACKED}, outstanding=-1, monthly_due=0, credit_limit=0)
    with pytest.raises(Exhausted):
        open_sums(endless, 1, small_table(), BITS, BANDS, lambda: False)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 500))
def test_a_search_covers_everything_once(low, width, limit):
    covered = [m for start, stop in _pieces(low, low + width, limit) for m in range(start, stop)]
    assert sorted(covered) == list(range(limit))
