"""What is read off an entry's bytes without or beside protobuf's parser (protobuf.dev/programming-guides/encoding)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ledger.errors import InvalidInput

_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5
_FIXED_SIZES = {_I64: 8, _I32: 4}
_LONG, _SHORT = 10, 5  # bytes of a varint: of a number, and of a tag or a length
_PLAIN_HEAD = 9
_MAX_KNOWN = 4096


def only_kind(raw: bytes) -> int:
    """The number of the one length-delimited field at the top level. Raises as `kind_field`."""
    return kind_field(raw)[0]


def kind_field(raw: bytes) -> tuple[int, bytes]:
    """Number and content of the one length-delimited field at the top level. Raises InvalidInput for none, several or
    what `fields` refuses.

    To protobuf the last of several kinds counts, but only among those a reader knows, and one given twice is merged:
    readers of different age would see different entries. So further fields of Entry that are no kinds must be numbers.
    """
    kinds = [(number, content) for number, content in fields(raw) if content is not None]
    if len(kinds) != 1:
        raise InvalidInput("BAD_KIND", "an entry has exactly one kind")
    return kinds[0]


def fields(raw: bytes) -> list[tuple[int, bytes | None]]:
    """The fields of a message: number, and content where it is length-delimited. Raises InvalidInput.

    Stricter than protobuf's parsers, which differ from each other in this: no groups, which some follow deeper than
    others; a number in at most ten bytes and below 2^64, a tag or a length in at most five and below 2^32.
    """
    found: list[tuple[int, bytes | None]] = []
    at, end = 0, len(raw)
    while at < end:
        tag, at = (raw[at], at + 1) if raw[at] < 0x80 else _varint(raw, at, _SHORT)
        wire_type, content = tag & 7, None
        if wire_type == _VARINT:
            at = at + 1 if raw[at : at + 1] < b"\x80" else _varint(raw, at, _LONG)[1]
        elif wire_type == _LEN:
            length, at = _varint(raw, at, _SHORT)
            content = raw[at : at + length]
            at += length
        else:
            at += _FIXED_SIZES.get(wire_type, end)  # a group ends nowhere
        if tag < 8 or at > end:
            raise _bad("a field without number, a group, or cut short")
        found.append((tag >> 3, content))
    return found


def check_numbers(packed: bytes) -> None:
    """Numbers one after the other, as `fields` takes them. Raises InvalidInput."""
    at = 0
    while at < len(packed):
        at = _varint(packed, at, _LONG)[1]


def _varint(raw: bytes, at: int, most: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(raw[at : at + most]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if value >> (64 if most == _LONG else 32):
                break
            return value, at + place + 1
    raise _bad("a number too large, too long or cut short")


def _bad(message: str) -> InvalidInput:
    return InvalidInput("BAD_ENTRY", message)


# -- positions as our own encoder writes them

_NUMBER = rb"(?:[\x00-\x7f]|[\x80-\xff]{1,4}[\x01-\x7f])"
_LENGTH = rb"([\x80-\xff]{1,2}[\x01-\x7f])"
_COPIES = rb"(?:\x9c\x04.{540}|\x9c\x10.{2076}|\x9c\x40.{8220}|\x9c\x80\x02.{32796})"

_PLAIN_POSITION = re.compile(
    rb"\x08" + _NUMBER  # Entry.time
    + rb"\x12" + _LENGTH  # Entry.position
    + rb"\x0a\x10(.{16})"  # label
    + rb"\x10" + _NUMBER + rb"\x18" + _NUMBER  # epoch, as_of
    + rb"\x2a\x20.{32}"  # records_digest
    + rb"\x32" + _COPIES  # sealed
    + rb"\x3a\x20.{32}(?:\x42\x20.{32}){7}"  # nonce_point, bodies
    + rb"\x4a\x40.{64}",  # proof
    re.DOTALL,
)  # fmt: skip


def label_of_plain_position(raw: bytes) -> bytes | None:
    """The label, if these are the bytes of a sound, open position with its fields in order, each once.

    A shortcut: replicas file little else, and this takes a quarter of the time of parsing and checking (0.7 us). None
    means nothing but that parsing must decide.
    """
    found = _PLAIN_POSITION.fullmatch(raw)
    if found is None or found[1] != _encode_length(len(raw) - found.end(1)):
        return None
    return found[2]


class PlainTimes:
    """Reads the times of plain positions, many of one second and size after each other: 0.5 us each.

    What is remembered are the first nine bytes of entries that `label_of_plain_position` has taken: tag and time (five
    bytes, from 1978 on), tag and length (two bytes). With the same nine and the same length in all, the form decides.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, int]] = {}

    def read(self, entries: Iterable[bytes]) -> Iterator[int | None]:
        """The time of each, in Unix seconds; None for what is no plain position."""
        known, form = self._known, _PLAIN_POSITION.fullmatch
        for raw in entries:
            found = known.get(raw[:_PLAIN_HEAD])
            if found is not None and found[0] == len(raw) and form(raw) is not None:
                yield found[1]
            else:
                yield self._first(raw)

    def _first(self, raw: bytes) -> int | None:
        if label_of_plain_position(raw) is None:
            return None
        time, at = _varint(raw, 1, _SHORT)
        if at == 6 and raw[7] >= 0x80 > raw[8]:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[raw[:_PLAIN_HEAD]] = len(raw), time
        return time


@lru_cache(1024)  # positions come in few lengths
def _encode_length(length: int) -> bytes:
    out = bytearray()
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out)
