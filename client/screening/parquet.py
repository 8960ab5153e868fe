"""The rows as a Parquet file, for those who installed what that takes (the extra `parquet`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from client.screening.rows import BOOLEANS, COLUMNS, NUMBERS, Row
from ledger.errors import Unready


def check() -> None:
    """Raises Unready (NO_PYARROW) where it cannot be done; to be asked before anything is spent."""
    _pyarrow()


def encode(rows: Iterable[Row]) -> bytes:
    """The file: numbers are int64 and null where they are not told, codes a list of strings. Raises as `check`."""
    arrow, writer = _pyarrow()
    kept = list(rows)
    types = {name: arrow.int64() for name in NUMBERS} | {name: arrow.bool_() for name in BOOLEANS}
    types["codes"] = arrow.list_(arrow.string())
    columns = [arrow.array([getattr(row, name) for row in kept], types.get(name, arrow.string())) for name in COLUMNS]
    sink = arrow.BufferOutputStream()
    writer.write_table(arrow.table(columns, names=list(COLUMNS)), sink)
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise Unready("NO_PYARROW", "Parquet needs pyarrow: pip install 'plimsoll[parquet]'", "parquet") from None
    return pyarrow, pyarrow.parquet
