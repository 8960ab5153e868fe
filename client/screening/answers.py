"""The output: rows as they come, so that whatever ends a run the next one goes on.

A row is handed to the system as soon as it is there, so a killed program loses none; they are synced in small groups,
so a machine that fails loses the last second's. Where a line has several rows the last one counts; at the end of a run
they are put in order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from client.cli.output import write_over
from client.screening.rows import COLUMNS, Row, encode, line_of, parse
from ledger.errors import InvalidInput, PlimsollError

_HEADER = line_of(COLUMNS)
#: Rows, and seconds, after which they are synced.
GROUP, INTERVAL = 64, 1.0


class Answers:
    """The rows of one output, by line of the portfolio."""

    def __init__(self, path: Path, lines: Collection[int]) -> None:
        """Reads what is there; a last line that was cut short is cut off. lines: of the portfolio.

        Raises InvalidInput (BAD_OUTPUT) where it is no output for these.
        """
        self._path = path
        self._rows: dict[int, Row] = {}
        self._unsynced, self._synced = 0, time.monotonic()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._read(lines)
        except BaseException:
            os.close(self._file)
            raise

    def __len__(self) -> int:
        """Lines with a row."""
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        """In the portfolio's order."""
        return (self._rows[line] for line in sorted(self._rows))

    def is_done(self, line: int) -> bool:
        """Whether this line needs not be asked about any more."""
        row = self._rows.get(line)
        return row is not None and not row.again

    def add(self, row: Row) -> None:
        """One more, safe from a crash of this program."""
        self._write(encode(row))
        self._rows[row.line] = row
        self._unsynced += 1
        if self._unsynced >= GROUP or time.monotonic() - self._synced >= INTERVAL:
            self._sync()

    def close(self) -> None:
        """Puts the rows in order, durably."""
        self._sync()
        os.close(self._file)
        write_over(self._path, _HEADER + b"".join(map(encode, self)))

    def _sync(self) -> None:
        os.fsync(self._file)
        self._unsynced, self._synced = 0, time.monotonic()

    def _write(self, raw: bytes) -> None:
        while raw:
            raw = raw[os.write(self._file, raw) :]

    def _read(self, lines: Collection[int]) -> None:
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if not whole:
            os.ftruncate(self._file, 0)
            self._write(_HEADER)
            return
        if not whole.startswith(_HEADER):
            raise InvalidInput("BAD_OUTPUT", "line 1: these are not the columns of a screening", str(self._path))
        for number, raw in enumerate(whole.removeprefix(_HEADER).split(b"\n")[:-1], start=2):
            row = self._parse(number, raw)
            if row.line not in lines:
                raise InvalidInput("BAD_OUTPUT", f"line {number}: no case stands in that line", str(self._path))
            self._rows[row.line] = row
        os.ftruncate(self._file, len(whole))

    def _parse(self, number: int, raw: bytes) -> Row:
        try:
            return parse(raw)
        except PlimsollError as error:
            where = f", {error.path}" if error.path else ""
            raise InvalidInput("BAD_OUTPUT", f"line {number}{where}: {error.message}", str(self._path)) from None
