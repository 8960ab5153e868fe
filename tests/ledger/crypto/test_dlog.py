"""Discrete logarithms: exact bytes of the table, every value found, wrong tables never believed."""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import product
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import dlog, group
from ledger.crypto.dlog import HEADER_SIZE, SLOT_SIZE, Table
from ledger.errors import Exhausted, InvalidInput, Unverified
from ledger.positions import digits
from tests.ledger.group_strategies import nonidentity_points

SMALL, MIDDLE = 8, 12


@cache
def built(bits: int) -> bytes:
    return bytes(dlog.build(bits))


@cache
def table(bits: int) -> Table:
    return Table(built(bits))


def times_base(value: int) -> bytes:
    return group.mul_base(group.scalar_from_int(value))


# The table's bytes


def test_the_bytes_are_as_documented() -> None:
    raw, slots = built(SMALL), 2 << SMALL
    assert raw[:20] == b"plimsoll dlog 1\n" + (SMALL).to_bytes(4, "little")
    assert raw[20:HEADER_SIZE] == bytes(44)
    assert len(raw) == dlog.table_size(SMALL) == 64 + 8 * slots
    expected: list[tuple[int, int]] = [(0, 0)] * slots
    for j in range(1 << SMALL):
        encoding = times_base(j)
        home = int.from_bytes(encoding[4:8], "little") % slots
        while expected[home] != (0, 0):
            home = (home + 1) % slots
        expected[home] = (int.from_bytes(encoding[8:12], "little"), j + 1)
    body = b"".join(tag.to_bytes(4, "little") + number.to_bytes(4, "little") for tag, number in expected)
    assert raw[HEADER_SIZE:] == body


@pytest.mark.parametrize("bits", [SMALL, MIDDLE])
def test_the_hash_in_the_code_is_that_of_the_table(bits: int) -> None:
    assert hashlib.sha256(built(bits)).hexdigest() == dlog.TABLE_SHA256[bits]


@pytest.mark.slow
def test_the_hash_of_a_table_of_several_chunks_is_that_in_the_code() -> None:
    assert len(list(dlog.chunks(16))) > 1
    assert hashlib.sha256(built(16)).hexdigest() == dlog.TABLE_SHA256[16]


def test_parts_computed_elsewhere_give_the_same_table_and_progress_is_told() -> None:
    told: list[int] = []
    parts = [dlog.keys(start, 64) for start in range(0, 1 << SMALL, 64)]
    assert dlog.build(SMALL, parts, told.append) == built(SMALL)
    assert told == [64, 128, 192, 256]
    assert b"".join(dlog.keys(*chunk) for chunk in dlog.chunks(SMALL)) == b"".join(parts)


@pytest.mark.parametrize("count", [0, 1, (1 << SMALL) - 1, (1 << SMALL) + 1])
def test_parts_that_do_not_fill_the_table_are_refused(count: int) -> None:
    with pytest.raises(InvalidInput):
        dlog.build(SMALL, [dlog.keys(0, count)])
    with pytest.raises(InvalidInput):
        dlog.build(SMALL, [dlog.keys(0, 1 << SMALL) + b"x"])


@pytest.mark.parametrize("bits", [0, -1, 25])
def test_sizes_out_of_range_are_refused(bits: int) -> None:
    with pytest.raises(InvalidInput):
        dlog.build(bits)


# Opening


@settings(max_examples=25)
@given(st.integers(0, dlog.table_size(SMALL) - 1), st.integers(1, 255))
def test_a_table_with_one_byte_changed_is_refused(position: int, change: int) -> None:
    raw = bytearray(built(SMALL))
    raw[position] ^= change
    with pytest.raises((InvalidInput, Unverified)):
        Table(raw)


@pytest.mark.parametrize("raw", [b"", built(SMALL)[:63], built(SMALL)[:-1], built(SMALL) + b"\0", bytes(4160)])
def test_what_is_no_table_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        Table(raw, verify=False)


def test_a_table_whose_hash_is_not_known_is_refused() -> None:
    raw = built(6)
    with pytest.raises(InvalidInput):
        Table(raw)
    assert Table(raw, verify=False).find(times_base(1000), 2000) == 1000


# Values


@pytest.mark.parametrize("bits", [SMALL, MIDDLE])
def test_every_baby_step_is_found(bits: int) -> None:
    for j in range(0, 1 << bits, 1 if bits == SMALL else 37):
        assert table(bits).lookup(times_base(j)) == j


@settings(max_examples=100)
@given(st.integers(0, 2**20 - 1))
def test_every_value_below_the_limit_is_found(value: int) -> None:
    assert table(MIDDLE).find(times_base(value), 2**20) == value


@pytest.mark.parametrize("value", [0, 1, 255, 256, 257, 511, 512, 9999])
def test_edges_of_giant_steps_and_of_the_limit(value: int) -> None:
    point = times_base(value)
    assert table(SMALL).find(point, value + 1) == value
    assert table(SMALL).find(point, value) is None
    assert table(SMALL).find(point, value + 1, start=value) == value
    assert table(SMALL).find(point, 2 * value + 300, start=value // 2) == value
    assert table(SMALL).find(point, value + 10_000, start=value + 1) is None


@given(nonidentity_points)
def test_a_point_without_a_small_logarithm_is_not_found(point: bytes) -> None:
    value = table(SMALL).find(group.add(point, times_base(2**200)), 2**12)
    assert value is None


def test_negative_values_are_not_found() -> None:
    assert table(SMALL).find(group.sub(group.IDENTITY, group.BASE), 2**14) is None


def test_a_search_ends_when_it_may_not_carry_on() -> None:
    asked: list[int] = []

    def carry_on() -> bool:
        asked.append(1)
        return len(asked) < 3

    with pytest.raises(Exhausted) as caught:
        table(SMALL).find(times_base(2**30), 2**36, carry_on=carry_on)
    assert caught.value.reason == "SEARCH_STOPPED"
    assert len(asked) == 3
    assert table(SMALL).find(times_base(70 * 256), 2**16, carry_on=lambda: True) == 70 * 256


def slot_of(raw: bytes, j: int) -> int:
    """Where a table has j."""
    for offset in range(HEADER_SIZE, len(raw), SLOT_SIZE):
        if int.from_bytes(raw[offset + 4 : offset + 8], "little") == j + 1:
            return offset
    raise AssertionError


def test_a_tag_that_matches_by_chance_is_passed_over() -> None:
    """The slot of j names another number: the match is recomputed, found false, and the search goes on."""
    raw = bytearray(built(SMALL))
    offset = slot_of(built(SMALL), 77)
    raw[offset + 4 : offset + 8] = (200).to_bytes(4, "little")
    assert Table(raw, verify=False).lookup(times_base(77)) is None
    following = offset
    while raw[following + 4 : following + 8] != bytes(4):
        following += SLOT_SIZE
    raw[following : following + 8] = built(SMALL)[offset : offset + 8]
    assert Table(raw, verify=False).lookup(times_base(77)) == 77


def test_a_full_table_does_not_hold_a_search_for_ever() -> None:
    raw = bytearray(built(SMALL))
    raw[HEADER_SIZE:] = (b"\x07" * 4 + (5).to_bytes(4, "little")) * (2 << SMALL)
    assert Table(raw, verify=False).lookup(times_base(3)) is None


# Packed digits


@pytest.mark.parametrize("bits", [SMALL, MIDDLE])
@pytest.mark.parametrize("contributors", [1, 2, 3])
def test_every_histogram_of_few_lenders_is_found(bits: int, contributors: int) -> None:
    for count in (4, 5):
        for values in product(range(contributors + 1), repeat=count):
            if sum(values) <= contributors:
                point = times_base(digits.pack(values))
                assert table(bits).find_packed(point, count, contributors) == values


@settings(max_examples=25)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_bands_of_more_lenders_are_found(places: list[int]) -> None:
    values = tuple(places.count(place) for place in range(6))
    assert table(MIDDLE).find_packed(times_base(digits.pack(values)), 6, len(places)) == values


@pytest.mark.parametrize("digit_count", [1, 2, 3])
def test_sixty_three_lenders_in_one_digit_are_found(digit_count: int) -> None:
    values = (*[0] * (digit_count - 1), 63)
    assert table(MIDDLE).find_packed(times_base(digits.pack(values)), digit_count, 63) == values


@settings(max_examples=25)
@given(st.lists(st.integers(0, 8), min_size=3, max_size=3), st.integers(1, 8))
def test_digits_of_more_than_the_contributors_are_not_believed(values: list[int], contributors: int) -> None:
    found = table(MIDDLE).find_packed(times_base(digits.pack(values)), 3, contributors)
    assert found == (tuple(values) if sum(values) <= contributors else None)


def test_a_value_beyond_its_digits_is_not_believed() -> None:
    assert table(MIDDLE).find_packed(times_base(1 << 6), 1, 5) is None
    assert table(MIDDLE).find_packed(times_base(1 << 24), 4, 5) is None
    assert table(MIDDLE).find_packed(group.sub(group.IDENTITY, group.BASE), 6, 3) is None


def test_every_composition_of_the_upper_digits_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[bytes] = []
    lookup = Table.lookup

    def recorded(self: Table, point: bytes) -> int | None:
        looked_at.append(point)
        return lookup(self, point)

    monkeypatch.setattr(Table, "lookup", recorded)
    assert table(MIDDLE).find_packed(times_base(2**200), 6, 3) is None
    # A table of 12 bits knows two digits; at most 3 contributors are in the other four in (3 + 4 choose 4) ways.
    assert len(looked_at) == len(set(looked_at)) == comb(7, 4)


def test_from_64_contributors_on_nothing_is_searched() -> None:
    with pytest.raises(Exhausted):
        table(SMALL).find_packed(group.BASE, 6, 64)
    with pytest.raises(InvalidInput):
        table(SMALL).find_packed(group.BASE, 6, 0)
