"""Reading m out of m G: baby-step giant-step over a table that is a public constant (design, section 6, Query).

The table of `bits` knows j G for all j below 2^bits. Its bytes, which depend on `bits` alone:

    offset  size
    0       16    b"plimsoll dlog 1\\n"
    16      4     bits, u32 little endian
    20      44    zero
    64      8 x 2^(bits+1)   slots: tag u32 | j + 1 u32, both little endian; all zero where empty

Of an encoding, bytes 4..7 (u32 little endian, mod the number of slots) are its home slot and bytes 8..11 its tag. (The
ends of an encoding are not uniform: its lowest and highest bits are always 0.) The multiples were put in ascending
order of j, each into the first empty slot from its home on, the last slot being followed by the first. A tag may match
by chance, so a match counts only once j G has been recomputed: a wrong table loses answers, it never gives a wrong one.
"""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from mmap import mmap

from ledger.crypto import group
from ledger.crypto.group import Point
from ledger.errors import Exhausted, InvalidInput, Unverified
from ledger.positions import digits

DEFAULT_BITS = 21
MAX_BITS = 24
MAGIC = b"plimsoll dlog 1\n"
HEADER_SIZE = 64
SLOT_SIZE = 8
CHUNK = 1 << 14
# SHA-256 of the whole table for the default and for the small ones that tests use.
TABLE_SHA256 = {
    8: "127a2fc10154788a9f311c2d3a26ccfd116a94ea5235759bf549ede20e24a415",
    12: "59c257048978095a27c41287800cea80d5a7bc790435319a9b707e4f9c955e0c",
    16: "39f1d320301e1b2e2d5cc6e76c5fef7c807a74ccd04f84ebcb787cbfd596deb7",
    21: "00784ec723f6c5e60f2384d45f333bcf7838e2cd11098931c241062b7180e4ba",
}
_KEY_OFFSET = 4
_STEPS_BETWEEN_CHECKS = 64
_header = struct.Struct("<16sI44x")
_pair = struct.Struct("<II")


def table_size(bits: int) -> int:
    """Bytes of a table."""
    return HEADER_SIZE + (SLOT_SIZE << bits + 1)


def keys(start: int, count: int) -> bytes:
    """Bytes 4..11 of the encodings of start G .. (start + count - 1) G: what a table is built from, 8 bytes each."""
    point = group.mul_base(group.scalar_from_int(start))
    out = bytearray()
    for _ in range(count):
        out += point[_KEY_OFFSET : _KEY_OFFSET + SLOT_SIZE]
        point = group.add(point, group.BASE)
    return bytes(out)


def chunks(bits: int) -> Iterator[tuple[int, int]]:
    """The (start, count) of `keys` that together cover a table, in order."""
    total = 1 << bits
    for start in range(0, total, CHUNK):
        yield start, min(CHUNK, total - start)


def build(
    bits: int, parts: Iterable[bytes] | None = None, progress: Callable[[int], object] | None = None
) -> bytearray:
    """The table for `bits` (1 .. 24): 14 us for each of 2^bits multiples, plus 1 us to place it.

    parts: the results of `keys` for `chunks(bits)` in that order, where someone else computes them (in parallel).
    progress: is told how many multiples have been placed, after each chunk. Raises InvalidInput for parts that do
    not fit `bits`.
    """
    if not 1 <= bits <= MAX_BITS:
        raise InvalidInput("OUT_OF_RANGE", f"bits must be 1 to {MAX_BITS}", "bits")
    table = bytearray(table_size(bits))
    _header.pack_into(table, 0, MAGIC, bits)
    placed = 0
    for part in parts if parts is not None else (keys(*chunk) for chunk in chunks(bits)):
        if len(part) % SLOT_SIZE or placed + len(part) // SLOT_SIZE > 1 << bits:
            raise InvalidInput("BAD_LENGTH", "more multiples than the table holds", "parts")
        _place(table, bits, placed, part)
        placed += len(part) // SLOT_SIZE
        if progress is not None:
            progress(placed)
    if placed != 1 << bits:
        raise InvalidInput("BAD_LENGTH", "fewer multiples than the table holds", "parts")
    return table


def _place(table: bytearray, bits: int, first: int, part: bytes) -> None:
    mask = (1 << bits + 1) - 1
    for number, (home, tag) in enumerate(_pair.iter_unpack(part), first + 1):
        place = home & mask
        while _pair.unpack_from(table, HEADER_SIZE + SLOT_SIZE * place)[1]:
            place = place + 1 & mask
        _pair.pack_into(table, HEADER_SIZE + SLOT_SIZE * place, tag, number)


class Table:
    """A built table, read-only; safe to use from several threads. The buffer stays the caller's."""

    def __init__(self, buffer: bytes | bytearray | memoryview | mmap, *, verify: bool = True) -> None:
        """Over the bytes that `build` gave. Raises InvalidInput for another form or an unknown size, and Unverified
        unless the hash is the known one; `verify=False` skips the hash for whoever has checked it before.
        """
        view = memoryview(buffer).toreadonly()
        if len(view) < HEADER_SIZE:
            raise InvalidInput("BAD_TABLE", "not a table of discrete logarithms")
        magic, bits = _header.unpack_from(view)
        if magic != MAGIC or not 1 <= bits <= MAX_BITS or len(view) != table_size(bits):
            raise InvalidInput("BAD_TABLE", "not a table of discrete logarithms")
        if verify:
            _check_hash(view, bits)
        self.bits: int = bits
        self._view = view
        self._slots = 1 << bits + 1
        self._step = _power(bits)
        self._upper = _upper_steps(bits)

    def lookup(self, point: Point) -> int | None:
        """j where point = j G and j < 2^bits."""
        home, tag = _pair.unpack_from(point, _KEY_OFFSET)
        # Half of the slots are empty, but a table that nobody verified must not hold a search for ever.
        for place in range(home, home + self._slots):
            offset = HEADER_SIZE + SLOT_SIZE * (place & self._slots - 1)
            slot_tag, number = _pair.unpack_from(self._view, offset)
            if number == 0:
                return None
            if slot_tag == tag and group.mul_base(group.scalar_from_int(number - 1)) == point:
                return int(number) - 1
        return None

    def find(
        self, point: Point, limit: int, *, start: int = 0, carry_on: Callable[[], bool] | None = None
    ) -> int | None:
        """m where point = m G and start <= m < limit, else None; ascending, 15 us for every 2^bits of m - start.

        carry_on is asked every 64 steps; once it says no, Exhausted is raised.
        """
        here = group.sub(point, group.mul_base(group.scalar_from_int(start))) if start else point
        for step, below in enumerate(range(start, limit, 1 << self.bits), 1):
            found = self.lookup(here)
            if found is not None:
                return below + found if below + found < limit else None
            if carry_on is not None and step % _STEPS_BETWEEN_CHECKS == 0 and not carry_on():
                raise Exhausted("SEARCH_STOPPED", "the search for a sum took too long")
            here = group.sub(here, self._step)
        return None

    def find_packed(self, point: Point, digit_count: int, contributors: int) -> tuple[int, ...] | None:
        """The packed digits, lowest first, that point hides, where they add up to at most `contributors`; else None.

        Goes through the upper digits, of which the table does not know the low ones, fewest contributors first: 15 us
        a step. digit_count is 1 to 6. Raises Exhausted from 64 contributors on.
        """
        digits.check_contributors(contributors)
        upper = [step for step in self._upper if step.place < digit_count]
        # (where to step from, the step to take, what has been taken off so far, contributors left)
        queue: deque[tuple[Point, _Step | None, int, int]] = deque([(point, None, 0, contributors)])
        while queue:
            before, taken, value, left = queue.popleft()
            here = group.sub(before, taken.point) if taken else before
            found = self.lookup(here)
            if found is not None:
                return _plausible(value + found, digit_count, contributors)
            # Digits only ascend along a path, so that every composition is reached once.
            for step in upper:
                if step.cost <= left and (taken is None or step.place >= taken.place):
                    queue.append((here, step, value + step.value, left - step.cost))
        return None


@dataclass(frozen=True, slots=True)
class _Step:
    """A digit beyond the table's reach: `value` stands for `cost` contributors in digit `place`; point = value G."""

    place: int
    value: int
    cost: int
    point: Point


def _upper_steps(bits: int) -> list[_Step]:
    """One step for every digit of which the table does not know all bits: from the lowest bit it does not know."""
    steps = []
    for place in range(digits.MAX_DIGITS):
        lowest = digits.DIGIT_BITS * place
        if lowest + digits.DIGIT_BITS > bits:
            exponent = max(lowest, bits)
            steps.append(_Step(place, 1 << exponent, 1 << exponent - lowest, _power(exponent)))
    return steps


def _plausible(value: int, digit_count: int, contributors: int) -> tuple[int, ...] | None:
    """The digits, unless they belong to more contributors than there are."""
    if value >> digits.DIGIT_BITS * digit_count:
        return None
    unpacked = digits.unpack(value, digit_count)
    return unpacked if sum(unpacked) <= contributors else None


def _power(exponent: int) -> Point:
    return group.mul_base(group.scalar_from_int(1 << exponent))


def _check_hash(view: memoryview, bits: int) -> None:
    if bits not in TABLE_SHA256:
        raise InvalidInput("BAD_TABLE", f"no hash is known for a table of {bits} bits")
    if hashlib.sha256(view).hexdigest() != TABLE_SHA256[bits]:
        raise Unverified("TABLE_ROTTEN", "the table of discrete logarithms is not the public constant: build it again")
