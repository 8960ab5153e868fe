"""TOML read strictly: every value is asked for by name and type, and what nobody asked for is refused.

A key that is misspelt, or that a later version invented, must not pass for a default: members sign what they read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence

from ledger.errors import InvalidInput

MAX_TEXT = 4096
MAX_PARTS = 8  # of a dotted key; none here has more than two

# What to look at outside text and comments: dots, what ends a key, and quotes that are never closed.
_SCAN = re.compile(
    r'''
    """(?:[^"\\]++|\\.|"(?!""))*+"""(?:"{0,2})   # a text of several lines may end in two more quotes
    | \'{3}(?:[^']++|'(?!\'\'))*+\'{3}(?:'{0,2})
    | (?P<open>"""|\'{3})
    | "(?:[^"\\\n]++|\\.)*+" | '[^'\n]*+'
    | \#[^\n]*+
    | (?P<dot>\.) | (?P<end>[\n=,\[\]{}]) | (?P<quote>["'])
    ''',
    re.VERBOSE | re.DOTALL,
)


class Table:
    """One table of a document. Take what is needed, then call `finish`. Every error is InvalidInput with its path."""

    __slots__ = ("_left", "_path")

    def __init__(self, values: dict[str, object], path: str = "") -> None:
        self._left = dict(values)
        self._path = path

    def __contains__(self, key: str) -> bool:
        """Whether the key is there and has not been taken."""
        return key in self._left

    def path(self, key: str) -> str:
        """Where a key of this table stands in the document."""
        return f"{self._path}.{key}" if self._path else key

    def text(self, key: str, default: str | None = None, *, maximum: int = MAX_TEXT) -> str:
        """A string of 1 .. maximum printable characters: it will be shown to people."""
        return _text(self._take(key, default), self.path(key), maximum)

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """A list of such strings."""
        items = self._list(key, default)
        return tuple(_text(item, f"{self.path(key)}[{number}]", MAX_TEXT) for number, item in enumerate(items))

    def integer(self, key: str, minimum: int, maximum: int, default: int | None = None) -> int:
        """An integer in minimum .. maximum."""
        return _integer(self._take(key, default), self.path(key), minimum, maximum)

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise InvalidInput("BAD_TYPE", "must be true or false", self.path(key))
        return value

    def integers(self, key: str, minimum: int, maximum: int, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """A list of such integers."""
        items = self._list(key, default)
        return tuple(
            _integer(item, f"{self.path(key)}[{number}]", minimum, maximum) for number, item in enumerate(items)
        )

    def table(self, key: str) -> Table:
        """A table."""
        return _table(self._take(key, None), self.path(key))

    def tables(self, key: str, minimum: int, maximum: int) -> tuple[Table, ...]:
        """An array of minimum .. maximum tables."""
        items = self._list(key, None)
        if not minimum <= len(items) <= maximum:
            raise InvalidInput("OUT_OF_RANGE", f"there must be {minimum} to {maximum}", self.path(key))
        return tuple(_table(item, f"{self.path(key)}[{number}]") for number, item in enumerate(items))

    def finish(self) -> None:
        """Refuses what nobody has taken."""
        for key in sorted(self._left):
            raise InvalidInput("UNKNOWN_KEY", "no such key here", self.path(key if key.isprintable() else "?"))

    def _take(self, key: str, default: object) -> object:
        value = self._left.pop(key, default)
        if value is None:
            raise InvalidInput("MISSING_KEY", "this key is missing", self.path(key))
        return value

    def _list(self, key: str, default: Sequence[object] | None) -> list[object]:
        value = self._take(key, None if default is None else list(default))
        if not isinstance(value, list):
            raise InvalidInput("BAD_TYPE", "must be a list", self.path(key))
        return value


def read_toml(text: str) -> Table:
    """The document's top table. Raises InvalidInput."""
    _check_keys(text)
    try:
        return Table(tomllib.loads(text))
    except (ValueError, RecursionError):  # RecursionError: nested brackets; no cause, as it may quote the document
        raise InvalidInput("BAD_TOML", "not a TOML document") from None


def _check_keys(text: str) -> None:
    """Refuses a key of very many parts: tomllib's time and memory grow with their square, 4 GB for a key of 60 KB."""
    dots = 0
    for token in _SCAN.finditer(text):
        kind = token.lastgroup
        if kind == "dot":
            dots += 1
        elif kind == "end":
            dots = 0
        if dots >= MAX_PARTS or kind in ("open", "quote"):
            raise InvalidInput("BAD_TOML", "not a TOML document, or a key of too many parts") from None


def quote(text: str) -> str:
    """A printable string as a TOML basic string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def quote_list(items: Sequence[str | int]) -> str:
    """A list of strings or integers on one line."""
    return "[" + ", ".join(quote(item) if isinstance(item, str) else str(item) for item in items) + "]"


def _text(value: object, path: str, maximum: int) -> str:
    if not isinstance(value, str):
        raise InvalidInput("BAD_TYPE", "must be a string", path)
    if not value or len(value) > maximum or not value.isprintable():
        raise InvalidInput("BAD_TEXT", f"must be 1 to {maximum} printable characters", path)
    return value


def _integer(value: object, path: str, minimum: int, maximum: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput("BAD_TYPE", "must be an integer", path)
    if not minimum <= value <= maximum:
        raise InvalidInput("OUT_OF_RANGE", f"must be in {minimum} .. {maximum}", path)
    return value


def _table(value: object, path: str) -> Table:
    if not isinstance(value, dict):
        raise InvalidInput("BAD_TYPE", "must be a table", path)
    return Table(value, path)
