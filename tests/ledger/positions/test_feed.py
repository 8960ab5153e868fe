"""Promises of reading a feed: every bad row refused by line, column and reason, the others taken."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import lender_pb2

from ledger.errors import InvalidInput
from ledger.positions.classification import CLASS_LABELS, Classification
from ledger.positions.feed import COLUMNS, NUMBERS, FeedReader, Rejected, parse_date, read_row
from ledger.positions.loan import MAX_AMOUNT, Loan

TODAY = parse_date("2026-03-15")


def a_row(line: int = 2, **changes: Any) -> lender_pb2.FeedRow:
    values: dict[str, Any] = {
        "line": line,
        "borrower": "test:000001",
        "loan_id": "A1",
        "product": "revolving",
        "currency": "CNY",
        "credit_limit": 5_000_000,
        "outstanding": 1_234_567,
        "monthly_due": 61_728,
        "overdue": 7,
        "days_past_due": 3,
        "classification": "special-mention",
        "status": "open",
        "as_of": "2026-02-28",
    }
    return lender_pb2.FeedRow(**(values | changes))


def a_reader() -> FeedReader:
    return FeedReader("CNY", TODAY)


def test_columns_are_those_of_a_feed_row() -> None:
    assert ("line", *COLUMNS) == tuple(field.name for field in lender_pb2.FeedRow.DESCRIPTOR.fields)
    assert set(NUMBERS) < set(COLUMNS)


def test_a_good_row_is_taken_whole() -> None:
    taken, rejected = a_reader().read([a_row(borrower="CN-ID: 110105491231002")])
    assert not rejected
    assert (taken[0].line, taken[0].borrower) == (2, "cn-id:11010519491231002X")
    assert taken[0].loan == Loan(
        "A1", "revolving", 5_000_000, 1_234_567, 61_728, 7, 3, Classification.SPECIAL_MENTION, True, 20_512
    )


def test_closed_rows_are_taken_whatever_their_figures() -> None:
    taken, _ = a_reader().read([a_row(status="closed", outstanding=5)])
    assert not taken[0].loan.open


BAD = [
    ("borrower", "", "BAD_IDENTITY"),
    ("borrower", "000001", "BAD_IDENTITY"),
    ("borrower", "ssn:000001", "UNKNOWN_SCHEME"),
    ("borrower", "cn-id:110105194912310021", "BAD_CHECKSUM"),
    ("loan_id", "", "BAD_TEXT"),
    ("loan_id", "x" * 65, "BAD_TEXT"),
    ("loan_id", "A\x001", "BAD_TEXT"),
    ("product", "p" * 65, "BAD_TEXT"),
    ("product", "p" * 1_000_000, "BAD_TEXT"),
    ("currency", "USD", "OTHER_CURRENCY"),
    ("currency", "cny", "OTHER_CURRENCY"),
    ("currency", "", "OTHER_CURRENCY"),
    *((name, -1, "OUT_OF_RANGE") for name in NUMBERS),
    *((name, MAX_AMOUNT + 1, "OUT_OF_RANGE") for name in NUMBERS),
    *((name, 2**63 - 1, "OUT_OF_RANGE") for name in NUMBERS),
    *((name, -(2**63), "OUT_OF_RANGE") for name in NUMBERS),
    ("days_past_due", 100_001, "OUT_OF_RANGE"),
    ("classification", "", "UNKNOWN_CLASS"),
    ("classification", "normal", "UNKNOWN_CLASS"),
    ("classification", "Pass", "UNKNOWN_CLASS"),
    ("status", "", "UNKNOWN_STATUS"),
    ("status", "OPEN", "UNKNOWN_STATUS"),
    ("status", "written-off", "UNKNOWN_STATUS"),
    ("as_of", "", "BAD_DATE"),
    ("as_of", "2026-02-29", "BAD_DATE"),
    ("as_of", "2026-2-28", "BAD_DATE"),
    ("as_of", "20260228", "BAD_DATE"),
    ("as_of", "28.02.2026", "BAD_DATE"),
    ("as_of", "2026-02-28T00:00:00", "BAD_DATE"),
    ("as_of", "2026-W09-6", "BAD_DATE"),
    ("as_of", "٢٠٢٦-٠٢-٢٨", "BAD_DATE"),
    ("as_of", "0000-01-01", "BAD_DATE"),
    ("as_of", "1969-12-31", "BAD_DATE"),
    ("as_of", "2026-03-17", "FUTURE_DATE"),
    ("as_of", "9999-12-31", "FUTURE_DATE"),
]


@pytest.mark.parametrize(("column", "value", "reason"), BAD, ids=lambda value: ascii(value)[:30])
def test_a_bad_row_is_refused_by_line_column_and_reason_and_the_others_go_on(
    column: str, value: object, reason: str
) -> None:
    bad = a_row(3, **({"loan_id": "A2"} | {column: value}))
    taken, rejected = a_reader().read([a_row(2), bad, a_row(4, loan_id="A3")])
    assert [row.line for row in taken] == [2, 4]
    assert [(r.line, r.path, r.reason) for r in rejected] == [(3, column, reason)]
    assert "\n" not in rejected[0].message
    if len(str(value)) > 3 and column in ("borrower", *NUMBERS):
        assert str(value) not in rejected[0].message


@pytest.mark.parametrize("as_of", ["1970-01-01", "2026-03-15", "2026-03-16"])
def test_dates_up_to_tomorrow_are_taken(as_of: str) -> None:
    assert a_reader().read([a_row(as_of=as_of)])[0]


@given(st.dates(date(1970, 1, 1)))
@settings(max_examples=100)
def test_dates_count_days_from_1970(day: date) -> None:
    assert date(1970, 1, 1) + timedelta(days=parse_date(day.isoformat())) == day


@given(st.integers(0, MAX_AMOUNT), st.integers(0, 100_000), st.sampled_from(CLASS_LABELS))
@settings(max_examples=50)
def test_every_figure_in_range_is_taken_as_it_is(amount: int, days: int, label: str) -> None:
    row = a_row(outstanding=amount, credit_limit=amount, days_past_due=days, classification=label)
    loan = read_row(row, "CNY", TODAY).loan
    assert (loan.outstanding, loan.credit_limit, loan.days_past_due, loan.classification.label) == (
        amount,
        amount,
        days,
        label,
    )


def test_a_loan_that_stands_twice_is_refused_the_second_time_naming_the_first() -> None:
    reader = a_reader()
    first, none = reader.read([a_row(2), a_row(3, loan_id="A2")])
    assert (len(first), none) == (2, [])
    taken, rejected = reader.read([a_row(4, borrower="TEST:000001", outstanding=1), a_row(5, borrower="test:000002")])
    assert [row.line for row in taken] == [5]
    assert rejected == [Rejected(4, "loan_id", "DUPLICATE_LOAN", "this loan already stands on line 2")]


def test_duplicates_are_found_without_line_numbers() -> None:
    taken, rejected = a_reader().read([a_row(0), a_row(0)])
    assert (len(taken), [r.reason for r in rejected]) == (1, ["DUPLICATE_LOAN"])


def test_a_bad_row_does_not_stand_in_the_way_of_the_right_one() -> None:
    taken, rejected = a_reader().read([a_row(2, overdue=-1), a_row(3)])
    assert [row.line for row in taken] == [3]
    assert [row.line for row in rejected] == [2]


def test_a_rejection_travels_as_its_message() -> None:
    rejected = Rejected.because(7, InvalidInput("BAD_DATE", "there is no such day", "as_of"))
    assert rejected.to_proto() == lender_pb2.Rejection(
        line=7, path="as_of", reason="BAD_DATE", message="there is no such day"
    )


rows = st.builds(
    lender_pb2.FeedRow,
    line=st.integers(0, 99),
    borrower=st.sampled_from(["test:1", "test:2", "x"]) | st.text(max_size=20),
    loan_id=st.text(max_size=5),
    product=st.text(max_size=5),
    currency=st.sampled_from(["CNY", "USD"]),
    outstanding=st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9),
    classification=st.sampled_from([*CLASS_LABELS, "?"]),
    status=st.sampled_from(["open", "closed", "?"]),
    as_of=st.dates().map(date.isoformat) | st.text(max_size=10),
)


@given(st.lists(rows, max_size=8))
@settings(max_examples=100)
def test_every_row_is_either_taken_or_rejected_and_no_identity_shows(feed: list[lender_pb2.FeedRow]) -> None:
    taken, rejected = a_reader().read(feed)
    assert sorted([row.line for row in taken] + [r.line for r in rejected]) == sorted(row.line for row in feed)
    keys = [(row.borrower, row.loan.loan_id) for row in taken]
    assert len(keys) == len(set(keys))
    assert all(row.borrower not in repr(row) for row in taken)
