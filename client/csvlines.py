"""The lines of a CSV file (RFC 4180, UTF-8, one header line), read strictly and as a stream.

What the file itself gets wrong is found here, line by line: encoding, quoting, line ends. Memory stays bounded whatever
the file holds; a record is one line, as no column can hold a line break.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ledger.errors import InvalidInput, PlimsollError

MAX_LINE = 8_192  # bytes, with the line's end
MAX_FIELD = 256  # characters
_DRAIN = 1 << 16
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Lines:
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


def read_header(lines: Lines, known: Sequence[str], required: Sequence[str], empty: str) -> list[str]:
    """The columns' names, from the first line.

    Raises InvalidInput where one is not `known`, stands twice, or is `required` and missing; `empty` is the reason
    where the file is.
    """
    raw = lines.next()
    if raw == b"":
        raise InvalidInput(empty, "the file is empty")
    if raw is not None and raw.startswith(_UTF_16):
        raise InvalidInput("BAD_ENCODING", "line 1: the file is UTF-16; it must be UTF-8")
    try:
        text = decode(raw)
        columns = split(text.removeprefix(_BOM.decode()).removesuffix("\n").removesuffix("\r"))
    except PlimsollError as error:
        raise InvalidInput(error.reason, f"line 1: {error.message}") from None
    _check_columns(columns, known, required)
    return columns


def _check_columns(columns: Sequence[str], known: Sequence[str], required: Sequence[str]) -> None:
    # An unknown name is not repeated: in a file without header it is the first borrower's identity.
    for name in known:
        if columns.count(name) > 1:
            raise InvalidInput("DUPLICATE_COLUMN", f"line 1: the column {name} stands twice", name)
    missing = [name for name in required if name not in columns]
    if missing:
        raise InvalidInput("MISSING_COLUMN", f"line 1: missing: {', '.join(missing)}", missing[0])
    for place, name in enumerate(columns, start=1):
        if name not in known:
            raise InvalidInput("UNKNOWN_COLUMN", f"line 1: column {place} is none of {', '.join(known)}")


def read_values(raw: bytes | None, columns: Sequence[str]) -> dict[str, str] | None:
    """One line's values by column, None for an empty line. Raises InvalidInput; the path is the column."""
    text = decode(raw)
    if not text.strip():
        return None
    values = split(text)
    if len(values) != len(columns):
        raise InvalidInput("COLUMN_COUNT", f"has {len(values)} columns where the header has {len(columns)}")
    for name, value in zip(columns, values, strict=True):
        if len(value) > MAX_FIELD:
            raise InvalidInput("FIELD_TOO_LONG", f"longer than {MAX_FIELD} characters", name)
    return dict(zip(columns, values, strict=True))


def decode(raw: bytes | None) -> str:
    """A line's text. Raises InvalidInput."""
    if raw is None:
        raise InvalidInput("LINE_TOO_LONG", f"longer than {MAX_LINE} bytes")
    if b"\0" in raw:
        raise InvalidInput("NUL_BYTE", f"a NUL byte at byte {raw.index(0) + 1}; is the file UTF-16?")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("BAD_ENCODING", f"not UTF-8 at byte {error.start + 1}") from None


def split(text: str) -> list[str]:
    """A line's values. Raises InvalidInput."""
    if "\r" in text:
        raise InvalidInput("BAD_LINE_END", "a carriage return within the line; lines end in LF or CR LF")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader((text,), strict=True))
    except csv.Error:
        raise InvalidInput("BAD_QUOTING", "quotes do not match, or enclose a line break") from None
