"""Byte strings a few edits away from a good one: they reach deeper into a parser than random bytes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

PIECES = st.binary(max_size=3) | st.sampled_from(
    [b"\n", b"\n\n", b" ", b"+", b"=", "— ".encode(), b"0", b"\r\n", b"\xff"]
)


@st.composite
def edited(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """One of the originals after 1 to 3 replacements of up to 4 bytes."""
    raw = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(raw)))
        raw = raw[:start] + draw(PIECES) + raw[start + draw(st.integers(0, 4)) :]
    return raw
