"""Promises of reading a feed file: bounded, streaming, and every fault named by line and column."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import lender_pb2

from client.csvfeed import MAX_BATCH_BYTES, FeedBatch, read_feed
from client.csvlines import MAX_LINE
from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.feed import COLUMNS, MAX_BATCH_ROWS, NUMBERS
from ledger.positions.loan import MAX_AMOUNT

HEADER = ",".join(COLUMNS)
GOOD = {
    "borrower": "test:000001",
    "loan_id": "A1",
    "product": "revolving",
    "currency": "CNY",
    "credit_limit": "5000000",
    "outstanding": "1234567",
    "monthly_due": "61728",
    "overdue": "0",
    "days_past_due": "0",
    "classification": "pass",
    "status": "open",
    "as_of": "2026-02-28",
}


def line(**changes: str) -> str:
    return ",".join((GOOD | changes).values())


def read(text: str | bytes) -> FeedBatch:
    """The whole feed as one batch."""
    raw = text.encode() if isinstance(text, str) else text
    whole = FeedBatch()
    for batch in read_feed(io.BytesIO(raw)):
        whole.rows += batch.rows
        whole.rejected += batch.rejected
        whole.bytes_read = batch.bytes_read
    return whole


def feed(*lines: str) -> str:
    return "\n".join((HEADER, *lines, ""))


def refusal(text: str | bytes) -> PlimsollError:
    with pytest.raises(InvalidInput) as caught:
        read(text)
    return caught.value


def test_a_good_line_becomes_a_row_with_its_line_number() -> None:
    whole = read(feed(line()))
    assert not whole.rejected
    values: dict[str, Any] = {name: int(value) if name in NUMBERS else value for name, value in GOOD.items()}
    assert whole.rows == [lender_pb2.FeedRow(line=2, **values)]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + feed(line()),
        feed(line()).replace("\n", "\r\n"),
        feed(line()).removesuffix("\n"),
        feed("", line(), "", "  ", ""),
        ",".join(reversed(COLUMNS)) + "\n" + ",".join(reversed(GOOD.values())),
        feed(line(product='"revolving"')),
        ",".join(f'"{name}"' for name in COLUMNS) + "\n" + ",".join(f'"{value}"' for value in GOOD.values()),
    ],
    ids=["bom", "crlf", "no last newline", "empty lines", "other order", "quoted", "all quoted"],
)
def test_what_spreadsheets_write_is_read(text: str) -> None:
    whole = read(text)
    assert not whole.rejected
    assert [(row.loan_id, row.product, row.outstanding) for row in whole.rows] == [("A1", "revolving", 1_234_567)]


def test_empty_lines_count_in_line_numbers() -> None:
    assert read(feed("", line(), "", line())).rows[1].line == 5


def test_quoted_commas_and_quotes_are_part_of_the_field() -> None:
    assert read(feed(line(product='"card, ""gold"""'))).rows[0].product == 'card, "gold"'


def test_chinese_products_are_read() -> None:
    assert read(feed(line(product="消费贷"))).rows[0].product == "消费贷"


NOT_NUMBERS = [
    "",
    " ",
    "12.5",
    "12.0",
    "1e3",
    "1E3",
    "+5",
    "1_000",
    "1,000",
    "1 000",
    " 1",
    "1 ",
    "007",
    "-0",
    "--1",
    "0x10",
    "١٢",
    "１２",
    "²",
    "NaN",
    "inf",
    "None",
    "¥5",
    "5\t",
]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", NOT_NUMBERS, ids=ascii)
def test_what_is_not_a_plain_whole_number_is_rejected_with_its_column(name: str, text: str) -> None:
    quoted = f'"{text}"' if "," in text else text
    whole = read(feed(line(), line(**{name: quoted}), line()))
    assert [row.line for row in whole.rows] == [2, 4]
    assert [(r.line, r.path, r.reason) for r in whole.rejected] == [(3, name, "BAD_NUMBER")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, "-1") for name in NUMBERS),
        *((name, str(MAX_AMOUNT + 1)) for name in NUMBERS),
        *((name, "9" * 200) for name in NUMBERS),
        *((name, str(2**63)) for name in NUMBERS),
        *((name, "-" + "9" * 200) for name in NUMBERS),
        ("days_past_due", "100001"),
    ],
)
def test_numbers_out_of_range_are_rejected_without_repeating_them(name: str, text: str) -> None:
    whole = read(feed(line(**{name: text})))
    assert [(r.line, r.path, r.reason) for r in whole.rejected] == [(2, name, "OUT_OF_RANGE")]
    assert text == "-1" or text not in whole.rejected[0].message


@given(st.sampled_from(NUMBERS), st.integers(0, 100_000) | st.integers(0, MAX_AMOUNT))
@settings(max_examples=100)
def test_every_number_in_range_is_read_as_it_is(name: str, value: int) -> None:
    limit = 100_000 if name == "days_past_due" else MAX_AMOUNT
    whole = read(feed(line(**{name: str(value)})))
    assert [getattr(row, name) for row in whole.rows] == ([value] if value <= limit else [])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("x", "COLUMN_COUNT"),
        (line() + ",", "COLUMN_COUNT"),
        (line().replace(",", ";"), "COLUMN_COUNT"),
        (line(product='"card'), "BAD_QUOTING"),
        (line(product='"card"x'), "BAD_QUOTING"),
        (line(product='"a\nb"'), "BAD_QUOTING"),
        (line(product="a\rb"), "BAD_LINE_END"),
        (line(product="a\x00b"), "NUL_BYTE"),
        (line(product="x" * 257), "FIELD_TOO_LONG"),
        (line(product="x" * 1_000_000), "LINE_TOO_LONG"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_broken_line_is_rejected_by_number_and_the_next_is_read(bad: str, reason: str) -> None:
    whole = read(feed(line(), bad, line(loan_id="last")))
    assert (whole.rejected[0].line, whole.rejected[0].reason) == (3, reason)
    assert [row.loan_id for row in whole.rows] == ["A1", "last"]
    assert whole.rows[-1].line == (5 if "\n" in bad else 4)
    assert whole.bytes_read == len(feed(line(), bad, line(loan_id="last")).encode())


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "big5", "latin-1"])
def test_another_encoding_is_rejected_at_its_byte(encoding: str) -> None:
    product = "crédit" if encoding == "latin-1" else "消費" if encoding == "big5" else "消费"
    whole = read(feed(line()).encode() + (line(product=product) + "\n").encode(encoding))
    assert len(whole.rows) == 1
    assert [(r.line, r.reason) for r in whole.rejected] == [(3, "BAD_ENCODING")]
    assert "byte" in whole.rejected[0].message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_utf_16_file_is_refused_and_told_so(encoding: str) -> None:
    error = refusal(feed(line()).encode(encoding))
    assert error.reason in ("BAD_ENCODING", "NUL_BYTE")
    assert "UTF-16" in error.message


@pytest.mark.parametrize("name", COLUMNS)
def test_a_missing_column_is_named(name: str) -> None:
    error = refusal(",".join(c for c in COLUMNS if c != name) + "\n")
    assert (error.reason, error.path) == ("MISSING_COLUMN", name)
    assert error.message == f"line 1: missing: {name}"


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_that_stands_twice_is_named(name: str) -> None:
    error = refusal(f"{HEADER},{name}\n")
    assert (error.reason, error.path) == ("DUPLICATE_COLUMN", name)


def test_a_column_that_does_not_belong_is_told_by_its_place() -> None:
    error = refusal(f"{HEADER},comment\n")
    assert error.reason == "UNKNOWN_COLUMN"
    assert "column 13" in error.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "EMPTY_FEED"),
        ("\n", "MISSING_COLUMN"),
        (HEADER.upper() + "\n", "MISSING_COLUMN"),
        (HEADER.replace(",", ";"), "MISSING_COLUMN"),
        (HEADER.replace(",", ", "), "MISSING_COLUMN"),
        (HEADER + "\r" + line() + "\r", "BAD_LINE_END"),
        (HEADER + "x" * 1_000_000, "LINE_TOO_LONG"),
        ('"' + HEADER, "BAD_QUOTING"),
        (b"\x89PNG\r\n\x1a\n", "BAD_ENCODING"),
        (b"PK\x03\x04\x00\x00", "NUL_BYTE"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_file_that_is_no_feed_is_refused_before_any_row(text: str | bytes, reason: str) -> None:
    error = refusal(text)
    assert error.reason == reason


def test_a_file_without_header_does_not_have_its_first_borrower_repeated() -> None:
    error = refusal(line(borrower="cn-id:11010519491231002X") + "\n")
    assert "11010519491231002X" not in str(error)


def test_a_header_alone_is_an_empty_feed_of_no_rows() -> None:
    assert list(read_feed(io.BytesIO(HEADER.encode()))) == []


class Endless(io.RawIOBase):
    """A header, then one line that goes on for `size` bytes."""

    def __init__(self, size: int) -> None:
        self._head, self._left = HEADER.encode() + b"\n", size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._left)
        if self._head:
            count = min(len(buffer), len(self._head))
            buffer[:count], self._head = self._head[:count], self._head[count:]
            return count
        buffer[:count] = b"x" * count
        self._left -= count
        return count


def test_a_line_of_a_hundred_megabytes_does_not_fill_the_memory() -> None:
    tracemalloc.start()
    batches = list(read_feed(io.BufferedReader(Endless(100_000_000))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(r.line, r.reason) for r in batches[0].rejected] == [(2, "LINE_TOO_LONG")]
    assert peak < 2_000_000


def test_the_longest_line_is_still_read() -> None:
    room = MAX_LINE - len(line(borrower="")) - 1
    whole = read(feed(line(borrower="x" * room), line(borrower="x" * (room + 1))))
    assert [r.reason for r in whole.rejected] == ["FIELD_TOO_LONG", "LINE_TOO_LONG"]


def test_batches_fit_into_a_message_and_lose_nothing() -> None:
    lines = [line(loan_id=f"L{n}", product="x" * (200 if n > 8_200 else 1)) for n in range(14_000)]
    lines[5_000] = "bad"
    batches = list(read_feed(io.BytesIO(feed(*lines).encode())))
    assert all(0 < len(batch.rows) <= MAX_BATCH_ROWS for batch in batches)
    assert all(sum(row.ByteSize() for row in batch.rows) <= MAX_BATCH_BYTES for batch in batches)
    assert [row.line for batch in batches for row in batch.rows] == [n + 2 for n in range(14_000) if n != 5_000]
    assert [r.line for batch in batches for r in batch.rejected] == [5_002]
    assert batches[-1].bytes_read == len(feed(*lines).encode())


def test_a_feed_of_nothing_but_bad_lines_comes_in_batches_too() -> None:
    batches = list(read_feed(io.BytesIO(feed(*["bad"] * 10_000).encode())))
    assert [len(batch.rejected) for batch in batches] == [4_096, 4_096, 1_808]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=200)
def test_any_bytes_behind_a_header_are_rows_or_rejections(tail: bytes) -> None:
    whole = read(HEADER.encode() + b"\n" + tail)
    lines = [part for part in tail.split(b"\n") if part.strip()]
    numbers = [row.line for row in whole.rows] + [r.line for r in whole.rejected]
    assert len(numbers) == len(set(numbers)) <= len(lines)


@given(st.binary(max_size=100))
@settings(max_examples=100)
def test_any_bytes_at_all_are_refused_as_a_feed(raw: bytes) -> None:
    with pytest.raises(PlimsollError):
        read(raw)
