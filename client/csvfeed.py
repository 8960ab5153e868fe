"""A loan feed as a CSV file (RFC 4180, UTF-8, one header line), read as a stream into rows for the lender's node.

What the file itself gets wrong is found here, line by line: encoding, quoting, columns, numbers. What a row says is the
node's to judge. Memory stays bounded whatever the file holds; a record is one line, as no column can hold a line break.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from plimsoll.v1 import lender_pb2

from client.csvlines import Lines, read_header, read_values
from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.feed import COLUMNS, MAX_BATCH_ROWS, NUMBERS, Rejected
from ledger.positions.loan import MAX_AMOUNT, MAX_DAYS_PAST_DUE, check_range

MAX_BATCH_BYTES = 1 << 20  # of lines: a batch must fit into one message
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
    `ledger.positions.feed.COLUMNS`, in any order.
    """
    lines = Lines(stream)
    columns = read_header(lines, COLUMNS, COLUMNS, "EMPTY_FEED")
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


def _read_row(raw: bytes | None, columns: Sequence[str], line: int) -> lender_pb2.FeedRow | None:
    values = read_values(raw, columns)
    if values is None:
        return None
    row = lender_pb2.FeedRow(line=line)
    for name, value in values.items():
        setattr(row, name, _read_number(value, name) if name in _MAXIMA else value)
    return row


def _read_number(text: str, name: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise InvalidInput("BAD_NUMBER", "must be a whole number in plain digits (amounts in minor units)", name)
    return check_range(int(text), _MAXIMA[name], name)
