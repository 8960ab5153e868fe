"""A loan feed as a CSV file (RFC 4180, UTF-8, one header line), read as a stream into rows for the lender's node.

What the file itself gets wrong is found here, line by line: encoding, quoting, columns, numbers. What a row says is the
node's to judge. Memory stays bounded whatever the file holds; a record is one line, as no column can hold a line break.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from plimsoll.v1 import lender_pb2

from ledger.errors import InvalidInput, PlimsollError
from ledger.feed import COLUMNS, MAX_BATCH_ROWS, NUMBERS, Rejected
from ledger.loan import MAX_AMOUNT, MAX_DAYS_PAST_DUE, check_range

MAX_LINE = 8_192  # bytes, with the line's end
MAX_FIELD = 256  # characters
MAX_BATCH_BYTES = 1 << 20  # of lines: a batch must fit into one message
_DRAIN = 1 << 16
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NUMBER = re.compile(r"0|-?[1-9][0-9]*")  # int() would also take "+5", "1_0", " 1" and other alphabets' digits
_MAXIMA = dict.fromkeys(NUMBERS, MAX_AMOUNT) | {"days_past_due": MAX_DAYS_PAST_DUE}


@dataclass(slots=True)
class FeedBatch:
    """The next lines of a feed: at most 4,096 rows, to be sent in one message, and the lines that are no rows.

    bytes_read: of the file so far.
    """

    rows: list[lender_pb2.FeedRow] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    bytes_read: int = 0


def read_feed(stream: BinaryIO) -> Iterator[FeedBatch]:
    """The feed in batches. Line 1 is the header; empty lines are passed over.

    Raises InvalidInput, before the first batch, for a file whose header does not have exactly the columns of
    `ledger.feed.COLUMNS`, in any order.
    """
    lines = _Lines(stream)
    columns = _read_header(lines)
    batch, began = FeedBatch(), lines.bytes_read
    for raw in lines:
        try:
            row = _read_row(raw, columns, lines.number)
            if row is not None:
                batch.rows.append(row)
        except PlimsollError as error:
            batch.rejected.append(Rejected.because(lines.number, error))
        full = max(len(batch.rows), len(batch.rejected)) >= MAX_BATCH_ROWS
        if full or lines.bytes_read - began >= MAX_BATCH_BYTES:
            batch.bytes_read = began = lines.bytes_read
            yield batch
            batch = FeedBatch()
    batch.bytes_read = lines.bytes_read
    if batch.rows or batch.rejected:
        yield batch


class _Lines:
    """The lines of a stream without their ends; None for one above MAX_LINE, which is skipped without being held."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.number = 0
        self.bytes_read = 0

    def __iter__(self) -> Iterator[bytes | None]:
        while (line := self.next()) != b"":
            yield line.removesuffix(b"\n").removesuffix(b"\r") if line is not None else None

    def next(self) -> bytes | None:
        """One line with its end, b"" at the end of the file."""
        line = self._stream.readline(MAX_LINE + 1)
        self.number += 1
        self.bytes_read += len(line)
        if len(line) <= MAX_LINE:
            return line
        while line and not line.endswith(b"\n"):
            line = self._stream.readline(_DRAIN)
            self.bytes_read += len(line)
        return None


def _read_header(lines: _Lines) -> list[str]:
    raw = lines.next()
    if raw == b"":
        raise InvalidInput("EMPTY_FEED", "the file is empty")
    if raw is not None and raw.startswith(_UTF_16):
        raise InvalidInput("BAD_ENCODING", "line 1: the file is UTF-16; it must be UTF-8")
    try:
        text = _decode(raw)
        columns = _split(text.removeprefix(_BOM.decode()).removesuffix("\n").removesuffix("\r"))
    except PlimsollError as error:
        raise InvalidInput(error.reason, f"line 1: {error.message}") from None
    _check_columns(columns)
    return columns


def _check_columns(columns: Sequence[str]) -> None:
    # An unknown name is not repeated: in a file without header it is the first borrower's identity.
    for name in COLUMNS:
        if columns.count(name) > 1:
            raise InvalidInput("DUPLICATE_COLUMN", f"line 1: the column {name} stands twice", name)
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise InvalidInput("MISSING_COLUMN", f"line 1: missing: {', '.join(missing)}", missing[0])
    for place, name in enumerate(columns, start=1):
        if name not in COLUMNS:
            raise InvalidInput("UNKNOWN_COLUMN", f"line 1: column {place} is none of {', '.join(COLUMNS)}")


def _read_row(raw: bytes | None, columns: Sequence[str], line: int) -> lender_pb2.FeedRow | None:
    text = _decode(raw)
    if not text.strip():
        return None
    values = _split(text)
    if len(values) != len(columns):
        raise InvalidInput("COLUMN_COUNT", f"has {len(values)} columns where the header has {len(columns)}")
    row = lender_pb2.FeedRow(line=line)
    for name, value in zip(columns, values, strict=True):
        if len(value) > MAX_FIELD:
            raise InvalidInput("FIELD_TOO_LONG", f"longer than {MAX_FIELD} characters", name)
        setattr(row, name, _read_number(value, name) if name in _MAXIMA else value)
    return row


def _decode(raw: bytes | None) -> str:
    if raw is None:
        raise InvalidInput("LINE_TOO_LONG", f"longer than {MAX_LINE} bytes")
    if b"\0" in raw:
        raise InvalidInput("NUL_BYTE", f"a NUL byte at byte {raw.index(0) + 1}; is the file UTF-16?")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("BAD_ENCODING", f"not UTF-8 at byte {error.start + 1}") from None


def _split(text: str) -> list[str]:
    if "\r" in text:
        raise InvalidInput("BAD_LINE_END", "a carriage return within the line; lines end in LF or CR LF")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader((text,), strict=True))
    except csv.Error:
        raise InvalidInput("BAD_QUOTING", "quotes do not match, or enclose a line break") from None


def _read_number(text: str, name: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise InvalidInput("BAD_NUMBER", "must be a whole number in plain digits (amounts in minor units)", name)
    return check_range(int(text), _MAXIMA[name], name)
