from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.positions.classification import Classification
from ledger.positions.digits import pack, tallies
from ledger.positions.fields import AMOUNTS, Field
from ledger.positions.loan import Loan
from ledger.positions.position import fold
from ledger.queries.plausibility import Sums, contradictions, outstanding_bounds
from tests.ledger.loans import BANDS, a_loan


def sums(**changes: Any) -> Sums:
    """Of three lenders: two pass, one doubtful; in bands 0, 0 and 2."""
    facts: dict[str, Any] = {
        "amounts": {Field.OUTSTANDING: 6_000_000, Field.MONTHLY_DUE: 0, Field.CREDIT_LIMIT: 2**36 - 1},
        "tally": (2, 5),
        "worse": (0, 0, 1, 0),
        "bands": (2, 0, 1, 0, 0, 0),
        "overdue_bands": (0, 1, 0, 0, 0),
    }
    return Sums(**{**facts, **changes})


def found(**changes: Any) -> tuple[str, ...]:
    return contradictions(sums(**changes), 3, BANDS)


def outstanding(amount: int | None) -> dict[str, Any]:
    return {"amounts": {Field.OUTSTANDING: amount}}


def one_loan(number: int, facts: tuple[int, int, Classification]) -> Loan:
    return a_loan(f"L{number}", outstanding=facts[0], overdue=facts[1], classification=facts[2])


def test_what_agrees_is_plausible():
    assert found() == ()
    assert found(amounts={}) == ()


@given(st.lists(st.tuples(st.integers(0, 2**36), st.integers(0, 2**36), st.sampled_from(Classification)), max_size=9))
def test_what_honest_lenders_report_is_plausible(loans):
    """One lender has all the loans at even places, each other one of the rest."""
    books = [[loan] for loan in loans[1::2]] + [loans[::2]] * bool(loans)
    plaintexts = [fold(list(map(one_loan, range(9), book)), BANDS).amounts for book in books]
    total = [sum(column) for column in zip([0] * 7, *plaintexts, strict=True)]

    def digits(field: Field, count: int) -> tuple[int, ...]:
        return tuple(total[field] >> 6 * place & 63 for place in range(count))

    added = Sums(
        {field: total[field] for field in AMOUNTS},
        (total[Field.TALLY_LOW] & 63, total[Field.TALLY_LOW] >> 6),
        digits(Field.TALLY_HIGH, 4),
        digits(Field.BAND, 6),
        digits(Field.OVERDUE_BAND, 5),
    )
    assert contradictions(added, len(books), BANDS) == ()
    assert [added.plaintexts()[field] for field in Field] == total


@pytest.mark.parametrize("field", AMOUNTS)
def test_p1_an_amount_that_is_not_found(field):
    amounts = {**sums().amounts, field: None}
    assert found(amounts=amounts) == (f"OUT_OF_RANGE:{field.label}",)


@pytest.mark.parametrize(
    ("name", "label"),
    [("tally", "tally_low"), ("worse", "tally_high"), ("bands", "band"), ("overdue_bands", "overdue_band")],
)
def test_p2_a_packed_field_that_is_not_found(name, label):
    assert found(**{name: None}) == (f"UNREADABLE:{label}",)


@pytest.mark.parametrize("worse", [(0, 0, 0, 0), (0, 1, 1, 0)])
def test_p3_classes_are_as_many_as_lenders(worse):
    assert found(worse=worse) == ("CLASSES",)


@pytest.mark.parametrize("bands", [(1, 0, 1, 0, 0, 0), (2, 1, 1, 0, 0, 0)])
def test_p4_bands_are_as_many_as_lenders(bands):
    assert found(bands=bands, amounts={}) == ("BANDS",)


@pytest.mark.parametrize(("accounts", "good"), [(2, False), (3, True), (3 * 1023, True), (3 * 1023 + 1, False)])
def test_p5_every_lender_has_1_to_1023_accounts(accounts, good):
    assert found(tally=(2, accounts)) == (() if good else ("ACCOUNTS",))


@pytest.mark.parametrize(
    ("amount", "good"),
    [(4_999_999, False), (5_000_000, True), (2 * 999_999 + 9_999_999, True), (2 * 999_999 + 10_000_000, False)],
)
def test_p6_the_outstanding_lies_between_the_bands_edges(amount, good):
    assert found(**outstanding(amount)) == (() if good else ("BAND_SUM",))


def test_p6_the_last_band_reaches_to_the_largest_amount():
    assert outstanding_bounds((0, 0, 0, 0, 0, 2), BANDS) == (2 * 50_000_000, 2 * 2**40)
    assert outstanding_bounds((0,) * 6, BANDS) == (0, 0)


def test_all_that_fails_is_named():
    amounts = {Field.OUTSTANDING: 2**36 - 1, Field.CREDIT_LIMIT: None}
    assert found(tally=(9, 0), bands=(9, 0, 0, 0, 0, 0), amounts=amounts) == (
        "OUT_OF_RANGE:credit_limit",
        "CLASSES",
        "BANDS",
        "ACCOUNTS",
        "BAND_SUM",
    )


def test_plaintexts_are_packed_as_they_were_summed():
    low, high = tallies(3, 5)
    plain = sums(tally=(0, 5), worse=(0, 0, 1, 0)).plaintexts()
    assert (plain[Field.TALLY_LOW], plain[Field.TALLY_HIGH]) == (low, high)
    assert plain[Field.BAND] == pack((2, 0, 1, 0, 0, 0))
    assert sums(tally=(63, 65_535)).plaintexts()[Field.TALLY_LOW] == 2**22 - 1
