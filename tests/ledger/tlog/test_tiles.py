"""Tiles: their paths, which ones a log has, and bundles of entries."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput, PlimsollError
from ledger.tlog.merkle import MAX_SIZE
from ledger.tlog.tiles import BUNDLE, BadBundle, Tile, edges, encode_bundle, levels, split_bundle, tiles_of
from tests.ledger.mutations import edited

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "tiles.json").read_text("utf-8"))

TILES = st.builds(Tile, st.integers(BUNDLE, 63), st.integers(0, MAX_SIZE >> 8), st.integers(1, 256))
SIZES = st.integers(0, 70_000) | st.integers(0, 1 << 26)
BUNDLES = st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=20)


# Paths


@pytest.mark.parametrize("path", VECTORS["paths"])
def test_paths_are_those_of_the_standard(path: str) -> None:
    tile = Tile(*VECTORS["paths"][path])
    assert tile.path == path
    assert Tile.parse(path) == tile


@pytest.mark.parametrize("path", VECTORS["no_paths"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Tile.parse(path)
    assert caught.value.reason == "BAD_TILE_PATH"


@given(TILES)
def test_a_path_is_read_as_the_tile_it_was_written_for(tile: Tile) -> None:
    assert Tile.parse(tile.path) == tile


@given(edited([path.encode() for path in VECTORS["paths"]]))
def test_a_tile_has_one_path(raw: bytes) -> None:
    path = raw.decode("latin-1")
    try:
        spelt = Tile.parse(path).path
    except InvalidInput:
        spelt = path
    assert spelt == path


@pytest.mark.parametrize("place", [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 1 << 55, 1), (0, 0, 0), (0, 0, 257)])
def test_there_are_no_other_tiles(place: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInput):
        Tile(*place)


# Which tiles a log has


def by_definition(size: int) -> set[Tile]:
    """The partial tile of level l has floor(size / 256^l) mod 256 hashes; never an empty one."""
    found = set()
    for level in range(BUNDLE, 8):
        full, partial = divmod(size // 256 ** max(level, 0), 256)
        found |= {Tile(level, number) for number in range(full)}
        found |= {Tile(level, full, partial)} if partial else set()
    return found


@pytest.mark.parametrize("sizes", [range(601), [65_535, 65_536, 65_537, 70_000, 1 << 24]])
def test_a_log_has_the_tiles_of_the_definition_and_each_once(sizes: range | list[int]) -> None:
    for size in sizes:
        tiles = list(tiles_of(size))
        assert len(tiles) == len(set(tiles))
        assert set(tiles) == by_definition(size)


def test_the_standards_example() -> None:
    tiles = list(tiles_of(70_000))
    paths = {tile.path for tile in tiles}
    assert sum(tile.level == 0 and tile.is_full for tile in tiles) == 273
    assert [tile.path for tile in tiles if tile.level == 1] == ["tile/1/000", "tile/1/001.p/17"]
    assert [tile.path for tile in tiles if tile.level == 2] == ["tile/2/000.p/1"]
    assert {"tile/0/273.p/112", "tile/entries/273.p/112", "tile/0/272", "tile/entries/000"} <= paths
    assert len(paths) == 2 * 274 + 3
    assert max(len(re.findall("x", path)) for path in paths) == 0


@given(SIZES)
def test_a_tile_belongs_to_a_log_that_has_it_and_to_no_other(size: int) -> None:
    size %= 70_001
    tiles = by_definition(size)
    assert all(tile.belongs_to(size) for tile in tiles)
    assert not any(tile.belongs_to(size) for tile in by_definition(size + 300) - tiles)
    assert not any(tile.belongs_to(size) for tile in by_definition(max(0, size - 300)) - tiles)


@given(SIZES, st.integers(0, 3000))
def test_what_a_log_gains_and_what_it_may_lose(before: int, more: int) -> None:
    before %= 70_001
    old, new = by_definition(before), by_definition(before + more)
    gained = list(tiles_of(before + more, since=before))
    assert len(gained) == len(set(gained))
    assert set(gained) == new - old
    assert old - new <= set(edges(before)) <= old


@given(st.integers(0, MAX_SIZE))
def test_a_log_of_any_size_has_at_most_one_partial_tile_a_level(size: int) -> None:
    found = list(edges(size))
    assert all(tile.belongs_to(size) and not tile.is_full for tile in found)
    assert len({tile.level for tile in found}) == len(found) <= 1 + levels(size) <= 9
    assert (levels(size) == 0) == (size == 0)
    assert not size or 256 ** (levels(size) - 1) <= size < 256 ** levels(size)


@pytest.mark.parametrize(("level", "size"), [(BUNDLE, 0), (0, 0), (1, 1 << 16), (2, 1 << 24)])
def test_a_tile_knows_its_first_entry(level: int, size: int) -> None:
    assert Tile(level, 0).first == 0
    assert Tile(level, 1).first == (size or 256)


# Bundles


@given(BUNDLES)
def test_a_bundle_is_read_as_it_was_written(entries: list[bytes]) -> None:
    raw = encode_bundle(entries)
    assert raw == b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    assert split_bundle(raw, len(entries)) == tuple(entries)


@given(BUNDLES, st.integers(-3, 3))
def test_a_bundle_of_another_width_is_refused(entries: list[bytes], more: int) -> None:
    if more:
        with pytest.raises(BadBundle) as caught:
            split_bundle(encode_bundle(entries), len(entries) + more) if len(entries) + more > 0 else split_bundle(
                b"", 1
            )
        assert len(caught.value.before) == (min(len(entries), len(entries) + more) if len(entries) + more > 0 else 0)


@given(BUNDLES, st.data())
def test_a_bundle_that_is_cut_is_refused_at_the_entry_that_is_cut(entries: list[bytes], data: st.DataObject) -> None:
    raw = encode_bundle(entries)
    length = data.draw(st.integers(0, len(raw) - 1))
    whole = sum(len(encode_bundle(entries[: count + 1])) <= length for count in range(len(entries)))
    with pytest.raises(BadBundle) as caught:
        split_bundle(raw[:length], len(entries))
    assert caught.value.before == tuple(entries[:whole])
    assert caught.value.path == f"[{whole}]"


@given(edited([encode_bundle([b"one", b"22", b"3" * 300])]))
def test_no_bundle_has_two_spellings(raw: bytes) -> None:
    try:
        spelt = encode_bundle(split_bundle(raw, 3))
    except BadBundle:
        spelt = raw
    assert spelt == raw


def test_the_longest_entry_fits() -> None:
    entry = bytes([7]) * 65_535
    assert split_bundle(encode_bundle([entry] * 2), 2) == (entry, entry)


@pytest.mark.parametrize("entries", [[], [b""], [b"x", b""], [bytes(65_536)], [b"x"] * 257])
def test_what_fits_no_bundle_is_refused(entries: list[bytes]) -> None:
    with pytest.raises(PlimsollError):
        encode_bundle(entries)


@pytest.mark.parametrize("raw", [b"\x00", b"\x00\x00", b"\x00\x02x", b"\xff\xff" + bytes(65_534), b"\x00\x01xx"])
def test_what_is_no_bundle_is_refused(raw: bytes) -> None:
    with pytest.raises(BadBundle):
        split_bundle(raw, 1)
