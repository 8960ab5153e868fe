"""Logs as tiles: made as the standard says, in any steps, and read back only as they were signed for."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head
from ledger.tlog.tiled_log import BadTile, TiledLog
from ledger.tlog.tiles import BUNDLE, Tile, edges, tiles_of
from ledger.tlog.tiling import Tiler
from tests.ledger import rfc6962
from tests.ledger.tile_sources import Tiles, head_over, large, opened, tiles_over
from tests.vectors import generate_tiles
from tests.vectors.generate_tiles import entry

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "tiles.json").read_text("utf-8"))

ENTRIES = tuple(map(entry, range(600)))
LEAVES = [merkle.leaf_hash(one) for one in ENTRIES]
HEAD = head_over(ENTRIES)


def listing(tiles: Tiles) -> list[str]:
    return [f"{sha256(tiles[path]).hexdigest()} {path}" for path in sorted(tiles)]


# Making them


def test_the_vectors_are_what_their_generator_makes() -> None:
    assert (generate_tiles.FOLDER / "tiles.json").read_text("utf-8") == generate_tiles.content()


@pytest.mark.parametrize("case", VECTORS["logs"], ids=lambda case: str(case["size"]))
def test_tiles_are_those_of_the_definition(case: dict) -> None:
    entries = large()[0][: case["size"]]
    tiles = tiles_over(entries)
    lines = listing(tiles)
    assert (len(lines), head_over(entries).root.hex()) == (case["tiles"], case["root"])
    assert sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest() == case["listing"]
    assert case.get("lines", lines) == lines
    assert set(tiles) == {tile.path for tile in tiles_of(case["size"])}


def test_at_every_size_from_0_to_600_the_tiles_are_there_and_their_root_is_the_logs() -> None:
    by_definition = generate_tiles.Log()
    tiler, full = Tiler(), Tiles()
    for size in range(601):
        assert tiler.tree.root() == rfc6962_root(size)
        assert {**full, **{tile.path: raw for tile, raw in tiler.edge()}} == by_definition.tiles(size)
        full |= {tile.path: raw for tile, raw in tiler.add(ENTRIES[size : size + 1])}


def rfc6962_root(size: int) -> bytes:
    return generate_tiles.root_of(LEAVES[:size])


@given(st.lists(st.integers(0, 700), max_size=6), st.booleans())
def test_in_whatever_steps_a_log_comes_its_tiles_are_the_same(steps: list[int], hashed: bool) -> None:
    tiler, found, entries = Tiler(), Tiles(), list(large()[0])
    for step in steps:
        more = entries[tiler.size : tiler.size + step]
        made = tiler.add(more, [merkle.leaf_hash(one) for one in more] if hashed else None)
        assert all(tile.is_full for tile, _ in made)
        found |= {tile.path: raw for tile, raw in made}
    found |= {tile.path: raw for tile, raw in tiler.edge()}
    assert found == tiles_over(entries[: tiler.size])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_537])
def test_a_log_is_continued_from_its_tiles(size: int) -> None:
    entries, whole = large()
    tiler = Tiler(opened(entries[:size]))
    assert (tiler.size, tiler.tree.root()) == (size, head_over(entries[:size]).root)
    made = [*tiler.add(entries[size:]), *tiler.edge()]
    assert [tile for tile, _ in made] != []
    assert {tile.path: raw for tile, raw in made}.items() <= whole.items()
    assert {tile for tile, _ in made} == {*tiles_of(70_000, since=size), *edges(70_000)}


def test_one_hash_an_entry_is_asked_for() -> None:
    with pytest.raises(InvalidInput):
        Tiler().add([b"x"], [])


# Reading them


@given(st.integers(0, 600), st.data())
@settings(max_examples=30)
def test_what_is_read_is_what_was_written(size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size) | st.none())
    log = opened(ENTRIES[:size])
    found = list(log.entries(start, stop))
    assert [one for stretch in found for one in stretch.entries] == list(
        ENTRIES[start : size if stop is None else stop]
    )
    assert [leaf for stretch in found for leaf in stretch.leaves] == LEAVES[start : size if stop is None else stop]
    places = [stretch.start for stretch in found]
    assert places == sorted(places)
    assert places[:1] in ([], [start])


def test_a_large_log_is_read_in_few_reads() -> None:
    entries, tiles = large()
    tiles.reads = 0
    read = [one for stretch in TiledLog(tiles, head_over(entries)).entries() for one in stretch.entries]
    assert tuple(read) == entries
    assert tiles.reads < 100  # 551 tiles


@given(st.integers(1, 600), st.data())
@settings(max_examples=30)
def test_roots_and_proofs_are_those_of_the_rfc(size: int, data: st.DataObject) -> None:
    log = opened(ENTRIES[:size])
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    assert log.root_at(old) == rfc6962_root(old)
    assert log.leaf_hash(index) == LEAVES[index]
    assert list(log.inclusion(index, size)) == rfc6962.path(index, ENTRIES[:size])
    merkle.verify_consistency(old, rfc6962_root(old), size, log.head.root, log.consistency(old, size))


def test_proofs_over_70_000_entries() -> None:
    entries, tiles = large()
    log = TiledLog(tiles, head_over(entries))
    for index in (0, 255, 65_535, 65_536, 69_999):
        merkle.verify_inclusion(
            merkle.leaf_hash(entries[index]), index, log.size, log.inclusion(index, log.size), log.head.root
        )
    old = Head(log.head.origin, 65_600, log.root_at(65_600))
    merkle.verify_consistency(old.size, old.root, log.size, log.head.root, log.consistency(old.size, log.size))
    assert old == head_over(entries[:65_600])


@pytest.mark.parametrize(
    "ask",
    [
        lambda log: list(log.entries(601)),
        lambda log: list(log.entries(5, 4)),
        lambda log: list(log.entries(-1)),
        lambda log: list(log.entries(0, 601)),
        lambda log: log.root_at(601),
        lambda log: log.leaf_hash(600),
        lambda log: log.node(9, 1),
        lambda log: log.node(0, -1),
        lambda log: log.inclusion(600, 600),
        lambda log: log.inclusion(0, 601),
        lambda log: log.consistency(1, 601),
    ],
)
def test_what_is_beyond_the_head_is_refused(ask) -> None:
    with pytest.raises(InvalidInput):
        ask(opened(ENTRIES))


# Tampering


def read_all(tiles: Tiles, head: Head = HEAD) -> list[bytes]:
    return [one for stretch in TiledLog(tiles, head).entries() for one in stretch.entries]


def found_bad(tiles: Tiles, head: Head = HEAD) -> BadTile:
    with pytest.raises(BadTile) as caught:
        read_all(tiles, head)
    return caught.value


@given(st.sampled_from(sorted(tiles_over(ENTRIES))), st.data())
def test_one_flipped_bit_anywhere_is_found_and_the_first_bad_entry_named(path: str, data: st.DataObject) -> None:
    tiles, tile = tiles_over(ENTRIES), Tile.parse(path)
    raw = tiles[path]
    place = data.draw(st.integers(0, len(raw) - 1))
    tiles[path] = raw[:place] + bytes([raw[place] ^ 1 << data.draw(st.integers(0, 7))]) + raw[place + 1 :]
    error = found_bad(tiles)
    assert (error.reason, error.path, error.tile) == ("BAD_TILE", path, tile)
    if tile.level == BUNDLE:
        lengths = [2 + len(one) for one in ENTRIES[tile.first :]]
        hit = next(number for number in range(len(lengths)) if sum(lengths[: number + 1]) > place)
        assert error.index == tile.first + hit
    else:
        assert error.index == tile.first + (place // 32) * 256**tile.level


@pytest.mark.parametrize("path", sorted(tiles_over(ENTRIES)))
@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "longer", "another"])
def test_a_tile_that_is_not_the_one_is_named(path: str, harm: str) -> None:
    tiles, tile = tiles_over(ENTRIES), Tile.parse(path)
    other = {"empty": b"", "cut": tiles[path][:-1], "longer": tiles[path] + b"\0", "another": tiles["tile/0/001"]}
    if harm == "gone":
        del tiles[path]
    elif tiles[path] != other[harm]:
        tiles[path] = other[harm]
    else:
        tiles[path] = tiles["tile/0/000"]
    error = found_bad(tiles)
    assert error.path == path
    assert tile.first <= error.index < tile.first + tile.width * 256 ** max(tile.level, 0)


def test_two_entries_that_have_changed_places_are_found_at_the_first() -> None:
    entries = [*ENTRIES[:300], ENTRIES[301], ENTRIES[300], *ENTRIES[302:]]
    tiles = tiles_over(ENTRIES)
    tiles["tile/entries/001"] = tiles_over(entries)["tile/entries/001"]
    assert found_bad(tiles).index == 300


def test_an_entry_whose_tiles_were_made_to_fit_is_found_where_they_do_not() -> None:
    forged = tiles_over([*ENTRIES[:300], b"forged", *ENTRIES[301:]])
    tiles = tiles_over(ENTRIES)
    for path in ("tile/entries/001", "tile/0/001"):
        tiles[path] = forged[path]
    assert (found_bad(tiles).path, found_bad(tiles).index) == ("tile/0/001", 256)


def test_another_history_in_full_is_not_that_of_the_head() -> None:
    with pytest.raises(Unverified) as caught:
        read_all(tiles_over([*ENTRIES[:300], b"forged", *ENTRIES[301:]]))
    assert caught.value.reason == "ROOT_MISMATCH"


@pytest.mark.parametrize("size", [1, 512, 599, 601, 856])
def test_a_head_of_another_size_does_not_fit(size: int) -> None:
    with pytest.raises(Unverified):
        read_all(tiles_over(ENTRIES), Head(HEAD.origin, size, HEAD.root))


def test_a_flipped_bit_in_70_000_entries_is_found() -> None:
    entries, whole = large()
    head = head_over(entries)
    for path in ("tile/entries/200", "tile/0/123", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"):
        tiles = Tiles(whole)
        tiles[path] = (
            tiles[path][:33] + bytes([tiles[path][33] ^ 4]) + tiles[path][34:] if len(tiles[path]) > 33 else b"\0" * 32
        )
        assert found_bad(tiles, head).path == path


@given(st.dictionaries(st.sampled_from([tile.path for tile in tiles_of(600)]), st.binary(max_size=64), min_size=1))
def test_tiles_of_no_sense_raise_nothing_else(tiles: dict[str, bytes]) -> None:
    with pytest.raises(PlimsollError):
        read_all(Tiles({**tiles_over(ENTRIES), **tiles}))
