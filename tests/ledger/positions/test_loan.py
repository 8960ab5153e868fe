"""Promises of loan records."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import sealed_pb2

from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.classification import CLASS_LABELS, Classification
from ledger.positions.loan import MAX_AMOUNT, MAX_AS_OF, Loan, check, records_digest
from tests.ledger.loans import FIELD_NAMES, a_loan, books, loans

SALT = bytes(range(32))


@given(loans())
@settings(max_examples=100)
def test_a_loan_survives_its_message(loan: Loan) -> None:
    assert Loan.from_proto(sealed_pb2.Loan.FromString(loan.to_proto().SerializeToString())) == loan


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("loan_id", "", "BAD_TEXT"),
        ("loan_id", "x" * 65, "BAD_TEXT"),
        ("loan_id", "a\x00b", "BAD_TEXT"),
        ("loan_id", "a\nb", "BAD_TEXT"),
        ("loan_id", " a", "BAD_TEXT"),
        ("loan_id", "a\u202eb", "BAD_TEXT"),  # right-to-left override
        ("product", "x" * 65, "BAD_TEXT"),
        ("product", "a\x85", "BAD_TEXT"),
        ("credit_limit", MAX_AMOUNT + 1, "OUT_OF_RANGE"),
        ("outstanding", MAX_AMOUNT + 1, "OUT_OF_RANGE"),
        ("monthly_due", 2**63, "OUT_OF_RANGE"),
        ("overdue", MAX_AMOUNT + 1, "OUT_OF_RANGE"),
        ("days_past_due", 100_001, "OUT_OF_RANGE"),
        ("classification", 5, "UNKNOWN_CLASS"),
        ("as_of", MAX_AS_OF + 1, "OUT_OF_RANGE"),
    ],
)
def test_a_message_that_no_loan_has_is_refused_with_its_field(field: str, value: object, reason: str) -> None:
    message = a_loan().to_proto()
    setattr(message, field, value)
    with pytest.raises(InvalidInput) as caught:
        Loan.from_proto(message)
    assert (caught.value.reason, caught.value.path) == (reason, field)


@pytest.mark.parametrize("field", ["credit_limit", "outstanding", "monthly_due", "overdue", "days_past_due", "as_of"])
def test_negative_figures_are_refused(field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(a_loan(**{field: -1}))
    assert (caught.value.reason, caught.value.path) == ("OUT_OF_RANGE", field)


@given(st.binary(max_size=80))
@settings(max_examples=100)
def test_any_message_is_a_loan_or_refused(raw: bytes) -> None:
    message = sealed_pb2.Loan()
    try:
        message.MergeFromString(raw)
    except DecodeError:
        return
    try:
        assert check(Loan.from_proto(message))
    except PlimsollError:
        return


def test_the_largest_figures_are_loans() -> None:
    assert check(a_loan(outstanding=MAX_AMOUNT, days_past_due=100_000, as_of=MAX_AS_OF, product="", loan_id="x" * 64))


def test_a_loan_hides_its_figures_when_printed() -> None:
    assert "1234567" not in repr(a_loan(outstanding=1_234_567))


def test_the_records_digest_is_the_documented_one() -> None:
    def text(value: str) -> bytes:
        return len(value.encode()).to_bytes(8, "big") + value.encode()

    def integers(*values: int) -> bytes:
        return b"".join(value.to_bytes(8, "big") for value in values)

    first = a_loan("A", product="贷", overdue=7, classification=Classification.LOSS, days_past_due=400)
    second = a_loan("B", open=False)
    expected = hashlib.sha256(
        text("plimsoll/v1/loan-records")
        + integers(32)
        + SALT
        + integers(2)
        + text("A")
        + text("贷")
        + integers(5_000_000, 1_234_567, 61_728, 7, 400, 4, 1, 20_000)
        + text("B")
        + text("revolving")
        + integers(5_000_000, 1_234_567, 61_728, 0, 0, 0, 0, 20_000)
    ).digest()
    assert records_digest(SALT, [second, first]) == expected


@given(books(), st.data())
@settings(max_examples=50)
def test_the_records_digest_binds_every_field_but_not_the_order(book: list[Loan], data: st.DataObject) -> None:
    fingerprint = records_digest(SALT, book)
    assert records_digest(SALT, data.draw(st.permutations(book))) == fingerprint
    assert records_digest(bytes(32), book) != fingerprint
    assert records_digest(SALT, book[1:]) != fingerprint
    other = data.draw(loans())
    for field in FIELD_NAMES:
        if getattr(other, field) != getattr(book[0], field):
            changed = replace(book[0], **{field: getattr(other, field)})
            assert records_digest(SALT, [changed, *book[1:]]) != fingerprint


def test_a_salt_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        records_digest(bytes(31), [a_loan()])
    assert caught.value.path == "salt"


def test_classes_are_spelled_as_in_feeds() -> None:
    assert CLASS_LABELS == ("pass", "special-mention", "substandard", "doubtful", "loss")
    assert [Classification.parse(label) for label in CLASS_LABELS] == list(Classification)


@pytest.mark.parametrize("text", ["", "PASS", "Pass", "special_mention", "special mention", "0", "unknown"])
def test_no_other_spelling_of_a_class_passes(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Classification.parse(text)
    assert (caught.value.reason, caught.value.path) == ("UNKNOWN_CLASS", "classification")
