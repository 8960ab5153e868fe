"""What targets read their inputs with, and where samples come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from ledger.errors import InvalidInput, PlimsollError
from tests.second.refusal import Refused

VECTORS = Path(__file__).parents[1] / "vectors"


@cache
def vectors(name: str) -> Any:
    """tests/vectors/<name>.json."""
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def text_of(raw: bytes) -> str:
    """What a caller that read these bytes as UTF-8 would hand in."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("BAD_TEXT", "not UTF-8") from None


def agree(mine: Callable[[], object], theirs: Callable[[], object]) -> None:
    """Both implementations take it or both refuse it. Raises what the first does."""
    try:
        theirs()
        taken = True
    except Refused:
        taken = False
    try:
        mine()
    except PlimsollError:
        assert not taken, "the second implementation takes what ours refuses"
        raise
    assert taken, "the second implementation refuses what ours takes"


def message(kind: Any, raw: bytes) -> Any:
    """A protobuf message of this class."""
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise InvalidInput("BAD_MESSAGE", "not that message") from error


def split(raw: bytes) -> list[bytes]:
    """Byte strings, each behind its length in two bytes; the last may be cut short."""
    parts, at = [], 0
    while at < len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
        parts.append(raw[at + 2 : end])
        at = end
    return parts


def joined(parts: Iterable[bytes]) -> bytes:
    """What `split` takes apart."""
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)
