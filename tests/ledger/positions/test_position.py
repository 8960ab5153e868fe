"""Promises of the fold from loans to a position."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.positions.classification import Classification
from ledger.positions.digits import unpack, unpack_tally_low
from ledger.positions.fields import AMOUNTS, FIELDS, Field
from ledger.positions.loan import MAX_AMOUNT, Loan
from ledger.positions.position import Position, check_limits, fold
from tests.ledger.loans import BANDS, a_loan, books


def test_a_worked_example() -> None:
    position = fold(
        [
            a_loan("A", outstanding=900_000, monthly_due=50_000, credit_limit=2_000_000, as_of=20_001),
            a_loan(
                "B",
                outstanding=100_000,
                monthly_due=10_000,
                credit_limit=100_000,
                overdue=150_000,
                days_past_due=120,
                classification=Classification.SUBSTANDARD,
            ),
            a_loan("C", open=False, outstanding=77, classification=Classification.LOSS, as_of=20_005),
        ],
        BANDS,
    )
    # Two accounts, not in class pass; substandard is digit 1; 10,000.00 is band 1; 1,500.00 overdue is band 1.
    assert position == Position((1_000_000, 60_000, 2_100_000, 2 << 6, 1 << 6, 1 << 6, 1 << 6), 20_005, closed=False)


def test_a_lender_whose_loans_are_all_closed_has_a_closed_position() -> None:
    loans = [a_loan("A", open=False, as_of=3), a_loan("B", open=False, as_of=2)]
    assert fold(loans, BANDS) == Position((), 3, closed=True)


def test_no_loan_at_all_has_no_position() -> None:
    with pytest.raises(InvalidInput) as caught:
        fold([], BANDS)
    assert caught.value.reason == "NO_LOANS"


running_books = books(running=st.just(True), max_size=6)


@given(running_books)
@settings(max_examples=100)
def test_packed_fields_round_trip_and_hold_one_lender(book: list[Loan]) -> None:
    amounts = fold(book, BANDS).amounts
    assert len(amounts) == len(FIELDS)
    passing, accounts = unpack_tally_low(amounts[Field.TALLY_LOW])
    classes = (passing, *unpack(amounts[Field.TALLY_HIGH], 4))
    assert accounts == len(book)
    assert [index for index, count in enumerate(classes) if count] == [max(loan.classification for loan in book)]
    assert sum(classes) == 1
    bands = unpack(amounts[Field.BAND], 6)
    assert bands.index(1) == BANDS.outstanding_band(amounts[Field.OUTSTANDING])
    assert sum(bands) == 1
    assert sum(unpack(amounts[Field.OVERDUE_BAND], 5)) == any(loan.overdue for loan in book)


@given(running_books, running_books)
@settings(max_examples=100)
def test_sums_and_accounts_add_up_over_lenders(one: list[Loan], other: list[Loan]) -> None:
    """What one query adds up over two lenders is what one lender with all those loans would have."""
    both = [*one, *(replace(loan, loan_id=f"{place}") for place, loan in enumerate(other))]
    both = [replace(loan, loan_id=f"{place}") for place, loan in enumerate(both)]
    parts, whole = (fold(one, BANDS).amounts, fold(other, BANDS).amounts), fold(both, BANDS).amounts
    for field in AMOUNTS:
        assert whole[field] == parts[0][field] + parts[1][field]
    accounts = [unpack_tally_low(amounts[Field.TALLY_LOW])[1] for amounts in (*parts, whole)]
    assert accounts[2] == accounts[0] + accounts[1]


@given(books(), st.data())
@settings(max_examples=50)
def test_neither_order_nor_closed_loans_change_what_a_position_says(book: list[Loan], data: st.DataObject) -> None:
    position = fold(book, BANDS)
    assert fold(data.draw(st.permutations(book)), BANDS) == position
    running = [loan for loan in book if loan.open]
    assert position.closed == (not running)
    if running:
        assert position.says_the_same_as(fold(running, BANDS))


def test_a_later_day_alone_says_nothing_new() -> None:
    today, tomorrow = fold([a_loan(as_of=1)], BANDS), fold([a_loan(as_of=2)], BANDS)
    assert today != tomorrow
    assert today.says_the_same_as(tomorrow)


@pytest.mark.parametrize("field", ["outstanding", "monthly_due", "credit_limit"])
def test_another_amount_says_something_new(field: str) -> None:
    assert not fold([a_loan()], BANDS).says_the_same_as(fold([a_loan(**{field: 1})], BANDS))


def test_closing_says_something_new() -> None:
    assert not fold([a_loan()], BANDS).says_the_same_as(fold([a_loan(open=False)], BANDS))


@pytest.mark.parametrize("field", ["outstanding", "monthly_due", "credit_limit", "overdue"])
def test_sums_may_reach_the_limit_and_not_pass_it(field: str) -> None:
    loans = [a_loan("A", **{field: MAX_AMOUNT - 1}), a_loan("B", **{field: 1})]
    check_limits(loans)
    assert fold(loans, BANDS)
    loans.append(a_loan("C", **{field: 1}))
    with pytest.raises(InvalidInput) as caught:
        fold(loans, BANDS)
    assert (caught.value.reason, caught.value.path) == ("SUM_OUT_OF_RANGE", field)


def test_closed_loans_do_not_count_towards_the_limits() -> None:
    check_limits([a_loan("A", outstanding=MAX_AMOUNT), a_loan("B", outstanding=MAX_AMOUNT, open=False)])


def test_a_borrower_has_at_most_1023_open_loans() -> None:
    loans = [a_loan(f"{n}", outstanding=1) for n in range(1023)]
    assert unpack_tally_low(fold(loans, BANDS).amounts[Field.TALLY_LOW]) == (1, 1023)
    with pytest.raises(InvalidInput) as caught:
        fold([*loans, a_loan("more", outstanding=1)], BANDS)
    assert caught.value.reason == "TOO_MANY_ACCOUNTS"
