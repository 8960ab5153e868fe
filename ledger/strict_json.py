"""JSON from outside, read strictly: every key once and expected, every value of one type, no second spelling.

Python's reader takes duplicate keys (the last wins), NaN, floats for integers and True for 1; two readers that differ
in such things would see different documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NoReturn

from ledger.errors import InvalidInput

_HEX = re.compile(r"(?:[0-9a-f]{2})*")


class Document:
    """A JSON object whose keys are taken one by one; `finish` refuses what is left. Everything raises InvalidInput."""

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise _bad("must be an object", path)
        self._left: dict[str, object] = dict(value)
        self._path = path

    @classmethod
    def parse(cls, raw: bytes, limit: int) -> Document:
        """The object that these bytes, at most `limit`, are."""
        if len(raw) > limit:
            raise _bad(f"at most {limit} bytes", "")
        try:
            text = raw.decode("utf-8")
            value = json.loads(text, object_pairs_hook=_once, parse_float=_no_number, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise _bad("not JSON", "") from error
        return cls(value)

    def __contains__(self, key: str) -> bool:
        """Whether a key is there that nobody has taken: of those that may be left out."""
        return key in self._left

    def path(self, key: str) -> str:
        """Where that key's value stands."""
        return f"{self._path}.{key}" if self._path else key

    def text(self, key: str) -> str:
        """A string."""
        value = self._take(key)
        if not isinstance(value, str):
            raise _bad("must be a string", self.path(key))
        return value

    def hex(self, key: str, *sizes: int) -> bytes:
        """Bytes of one of these sizes (any, if none is given), as lower-case hex."""
        return _bytes(self.text(key), sizes, self.path(key))

    def hexes(self, key: str, size: int) -> tuple[bytes, ...]:
        """A list of such bytes."""
        return tuple(_bytes(value, (size,), path) for value, path in self._elements(key))

    def integer(self, key: str, maximum: int) -> int:
        """0 .. maximum."""
        return _integer(self._take(key), maximum, self.path(key))

    def integers_or_null(self, key: str, maximum: int) -> dict[str, int | None]:
        """An object whose values are integers 0 .. maximum, or null."""
        path = self.path(key)
        inner = Document(self._take(key), path)._left
        return {
            name: None if value is None else _integer(value, maximum, f"{path}.{name}") for name, value in inner.items()
        }

    def boolean(self, key: str) -> bool:
        """true or false."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise _bad("must be true or false", self.path(key))
        return value

    def integers(self, key: str, maximum: int) -> tuple[int, ...]:
        """A list of integers 0 .. maximum."""
        return tuple(_integer(value, maximum, path) for value, path in self._elements(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(Document({"": value}, path).text("") for value, path in self._elements(key))

    def null(self, key: str) -> bool:
        """Whether null stands there; then it is taken."""
        if self._left.get(key, self) is not None:
            return False
        del self._left[key]
        return True

    def inner(self, key: str) -> Document:
        """An object within."""
        return Document(self._take(key), self.path(key))

    def each(self, key: str) -> Iterator[Document]:
        """A list of objects."""
        return (Document(value, path) for value, path in self._elements(key))

    def named(self, key: str) -> Iterator[tuple[str, Document]]:
        """An object whose values are objects: their keys and they."""
        inner = self.inner(key)
        return ((name, Document(value, inner.path(name))) for name, value in inner._left.items())

    def finish(self) -> None:
        """Refuses keys that nobody has taken."""
        for key in self._left:
            raise _bad("no such key belongs here", self.path(key))

    def _elements(self, key: str) -> list[tuple[object, str]]:
        value = self._take(key)
        if not isinstance(value, list):
            raise _bad("must be a list", self.path(key))
        return [(element, f"{self.path(key)}[{place}]") for place, element in enumerate(value)]

    def _take(self, key: str) -> object:
        if key not in self._left:
            raise _bad("missing", self.path(key))
        return self._left.pop(key)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    if not all(map(str.isprintable, found)):
        raise ValueError("keys are words, and errors quote them")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError("numbers are integers")


def _integer(value: object, maximum: int, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= maximum:
        raise _bad(f"must be an integer in 0 .. {maximum}", path)
    return value


def _bytes(value: object, sizes: tuple[int, ...], path: str) -> bytes:
    if not isinstance(value, str) or _HEX.fullmatch(value) is None:
        raise _bad("must be lower-case hex", path)
    raw = bytes.fromhex(value)
    if sizes and len(raw) not in sizes:
        raise _bad(f"must be {' or '.join(map(str, sizes))} bytes", path)
    return raw


def _bad(message: str, path: str) -> InvalidInput:
    return InvalidInput("BAD_JSON", message, path)
