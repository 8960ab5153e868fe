"""Byte strings a few edits away from good ones: flipped, cut, filled in, doubled, spliced, stretched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

PIECES = (
    b"",
    b"\x00",
    b"\xff",
    b"\x80" * 9 + b"\x01",
    b"\n",
    b"\n\n",
    b" ",
    b"=",
    b"+",
    b"0",
    b"-1",
    b"\r\n",
    b"\xed\xa0\x80",
)
"""Put in everywhere: ends, signs, numbers, and half a surrogate in UTF-8."""

LONG = 64 << 10  # bytes of a run


@st.composite
def mutated(draw: st.DrawFn, samples: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """One of the samples after 1 to 4 edits."""
    raw = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        stop = min(len(raw), start + draw(st.sampled_from((0, 1, 2, 4, 8, 32, 256))))
        raw = _edited(draw, raw, start, stop, samples, (*PIECES, *tokens))
    return raw


def _edited(
    draw: st.DrawFn, raw: bytes, start: int, stop: int, samples: Sequence[bytes], pieces: Sequence[bytes]
) -> bytes:
    kind = draw(st.sampled_from(("flip", "cut", "put", "double", "splice", "random")))
    if kind == "flip" and start < len(raw):
        return raw[:start] + bytes([raw[start] ^ 1 << draw(st.integers(0, 7))]) + raw[start + 1 :]
    if kind == "cut":
        return raw[:start] + raw[stop:]
    if kind == "double":
        return raw[:stop] + raw[start:]
    if kind == "splice":
        other = draw(st.sampled_from(samples))
        return raw[:start] + other[draw(st.integers(0, len(other))) :]
    piece = draw(st.binary(max_size=4)) if kind == "random" else draw(st.sampled_from(pieces))
    return raw[:start] + piece + raw[stop:]


def stretched(raw: bytes, tokens: Sequence[bytes]) -> Iterator[bytes]:
    """The sample with 64 KiB of one thing in it, a token or a piece of itself: at its start, behind its first line, in
    its middle and at its end.

    What takes time or memory out of proportion shows here.
    """
    places = sorted({0, raw.find(b"\n") + 1, len(raw) // 2, len(raw)})
    for token in dict.fromkeys((*tokens, *pieces(raw))):
        run = token * (LONG // len(token))
        yield from (raw[:place] + run + raw[place:] for place in places)


def pieces(raw: bytes) -> list[bytes]:
    """Its first lines, and its fields where it reads as a protobuf message."""
    found = [line for line in raw.splitlines(keepends=True)[:8] if len(line) < len(raw)]
    at = 0
    while at < len(raw) and raw[at] & 7 in (0, 2) and len(found) < 16:
        start, at = at, _behind_varint(raw, at)
        length, at = _varint(raw, at), _behind_varint(raw, at)
        at += length if raw[start] & 7 == 2 else 0
        found.append(raw[start:at])
    return [piece for piece in found if 0 < len(piece) <= LONG]


def _behind_varint(raw: bytes, at: int) -> int:
    while at < len(raw) and raw[at] > 0x7F:
        at += 1
    return at + 1


def _varint(raw: bytes, at: int) -> int:
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(raw[at : _behind_varint(raw, at)]))
