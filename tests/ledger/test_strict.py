"""Decimal numbers and base64 have one spelling."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput, PlimsollError
from ledger.strict import decode_base64, encode_base64, parse_decimal


@given(st.integers(0, (1 << 63) - 1))
def test_a_number_reads_back(value: int):
    assert parse_decimal(str(value), "size") == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "05",
        "00",
        "+5",
        "-5",
        "-0",
        "1_0",
        " 5",
        "5 ",
        "5\n",
        "5.0",
        "0x5",
        "1e3",
        "\u0665",
        "\uff15",
        "²",
        "9" * 5000,
    ],
)
def test_other_spellings_of_numbers_are_refused(text: str):
    with pytest.raises(InvalidInput) as refusal:
        parse_decimal(text, "size")
    assert refusal.value.path == "size"


def test_a_number_above_its_maximum_is_refused():
    assert parse_decimal("9223372036854775807", "size") == (1 << 63) - 1
    with pytest.raises(InvalidInput):
        parse_decimal("9223372036854775808", "size")
    assert parse_decimal("7", "size", maximum=7) == 7
    with pytest.raises(InvalidInput):
        parse_decimal("8", "size", maximum=7)


@given(st.binary(max_size=100))
def test_bytes_read_back(raw: bytes):
    assert decode_base64(encode_base64(raw), "root") == raw


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AAA==",
        "AB==",
        "AAB=",
        "AA==AA==",
        "AA=A",
        "=AAA",
        "AA==\n",
        " AA==",
        "A A=",
        "_-==",
        "AA!A",
        "é===",
    ],
)
def test_other_spellings_of_base64_are_refused(text: str):
    with pytest.raises(InvalidInput) as refusal:
        decode_base64(text, "root")
    assert refusal.value.path == "root"


@given(st.text(max_size=40) | st.text(alphabet="ABab01+/=", max_size=12))
def test_whatever_is_read_has_no_other_spelling(text: str):
    with suppress(PlimsollError):
        assert encode_base64(decode_base64(text, "root")) == text
    with suppress(PlimsollError):
        assert str(parse_decimal(text, "size")) == text
