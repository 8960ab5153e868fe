"""The stored tree: the same roots, paths and tiles as RFC 6962 and tlog-tiles say, however it has grown."""

from __future__ import annotations

import hashlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.tree import TILE_SIZE, TileStore, Tree, split_hashes
from ledger.errors import InvalidInput, Unverified
from ledger.tlog import merkle

MANY = 70_000  # two levels of full tiles and a third one begun
LEAVES = [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(MANY)]
ROOTS = {}
_range = merkle.CompactRange()
for _leaf in LEAVES[:1100]:
    _range.append(_leaf)
    ROOTS[_range.size] = _range.root()
ROOTS[0] = merkle.EMPTY_ROOT


def node(level: int, index: int) -> bytes:
    """By definition, from the leaves alone."""
    return merkle.root_of(LEAVES[index << level : (index + 1) << level])


class Disk:
    """Tiles where they are stored, and how often they are read."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.reads = 0

    def read(self, level: int, number: int) -> bytes | None:
        self.reads += 1
        return self.tiles.get((level, number))

    def commit(self, tree: Tree) -> Tree:
        self.tiles.update(tree.new_tiles())
        return tree

    def opened(self, size: int) -> Tree:
        return Tree.load(TileStore(self.read), size, LEAVES[size - size % 256 : size])


def grown(disk: Disk, *sizes: int) -> Tree:
    tree = Tree(TileStore(disk.read))
    for size in sizes:
        tree = disk.commit(tree.extended(LEAVES[tree.size : size]))
    return tree


@pytest.fixture(scope="module")
def large() -> Disk:
    disk = Disk()
    grown(disk, 1000, 40_000, 65_535, MANY)
    return disk


def test_the_tiles_of_70000_entries_are_those_of_the_specification(large):
    assert set(large.tiles) == {(0, number) for number in range(273)} | {(1, 0)}
    assert all(len(tile) == TILE_SIZE for tile in large.tiles.values())
    assert split_hashes(large.tiles[0, 100]) == LEAVES[25_600:25_856]
    assert split_hashes(large.tiles[1, 0]) == [node(8, number) for number in range(256)]


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 65_791, 65_792, 65_793, MANY])
def test_a_large_tree_has_the_roots_and_nodes_of_its_leaves(large, size):
    tree = large.opened(size)
    assert tree.root() == tree.root_at(size) == merkle.root_of(LEAVES[:size])
    rng = Random(size)
    for level in range(size.bit_length()):
        index = rng.randrange(size >> level)
        assert tree.node(level, index) == node(level, index)


@given(st.lists(st.integers(1, 600), min_size=1, max_size=6), st.data())
def test_however_it_has_grown_a_tree_has_every_root_of_its_history(steps, data):
    disk = Disk()
    sizes = [min(sum(steps[: count + 1]), 1100) for count in range(len(steps))]
    tree = grown(disk, *sizes)
    assert tree.root() == ROOTS[tree.size]
    assert disk.tiles.keys() == {(0, number) for number in range(tree.size // 256)}
    size = data.draw(st.integers(0, tree.size))
    assert tree.root_at(size) == disk.opened(tree.size).root_at(size) == ROOTS[size]


@given(st.integers(1, 1100), st.data())
def test_paths_and_proofs_verify(size, data):
    disk = Disk()
    grown(disk, 500, 1100)
    tree = disk.opened(size)
    at = data.draw(st.integers(1, size))
    index = data.draw(st.integers(0, at - 1))
    old = data.draw(st.integers(0, at))
    assert tree.leaf_hash(index) == LEAVES[index]
    merkle.verify_inclusion(LEAVES[index], index, at, tree.inclusion(index, at), ROOTS[at])
    merkle.verify_consistency(old, ROOTS[old], at, ROOTS[at], tree.consistency(old, at))


def test_a_tree_never_changes_when_another_grows_out_of_it():
    disk = Disk()
    base = grown(disk, 250)
    left = base.extended(LEAVES[250:600])
    right = base.extended(LEAVES[250:256] + LEAVES[:300])
    assert left.root() == left.root_at(600) == ROOTS[600]
    assert right.root() == right.root_at(556) == merkle.root_of(LEAVES[:256] + LEAVES[:300])
    assert base.root() == ROOTS[250]
    assert not list(base.new_tiles())


def test_a_tree_that_was_not_stored_answers_for_its_new_tiles_too_and_nothing_is_read():
    disk = Disk()
    tree = Tree(TileStore(disk.read)).extended(LEAVES[:1100])
    merkle.verify_inclusion(LEAVES[3], 3, 1100, tree.inclusion(3, 1100), ROOTS[1100])
    assert dict(tree.new_tiles()).keys() == {(0, 0), (0, 1), (0, 2), (0, 3)}
    assert disk.reads == 0


def test_a_tile_is_read_once_for_many_questions(large):
    tree = large.opened(MANY)
    large.reads = 0
    for index in range(5120, 5376):
        tree.inclusion(index, MANY)
    assert large.reads <= 4


def test_extending_by_nothing_changes_nothing():
    tree = grown(Disk(), 300)
    assert tree.extended([]).root() == tree.root()


@pytest.mark.parametrize(
    "ask",
    [
        lambda tree: tree.root_at(301),
        lambda tree: tree.inclusion(5, 301),
        lambda tree: tree.inclusion(300, 300),
        lambda tree: tree.consistency(5, 301),
        lambda tree: tree.consistency(301, 300),
        lambda tree: tree.leaf_hash(300),
        lambda tree: tree.leaf_hash(-1),
        lambda tree: tree.node(8, 1),
        lambda tree: tree.node(2, -1),
        lambda tree: tree.root_at(-1),
    ],
)
def test_what_lies_beyond_the_tree_is_refused(ask):
    with pytest.raises(InvalidInput):
        ask(grown(Disk(), 300))


@settings(max_examples=20)
@given(st.sampled_from([(0, 0), (0, 17), (0, 255), (1, 0)]), st.integers(0, TILE_SIZE - 1), st.booleans())
def test_a_rotten_tile_proves_nothing_and_is_named(large, tile, position, missing):
    sound = large.tiles[tile]
    rotten = bytearray(sound)
    rotten[position] ^= 1
    tree = large.opened(MANY)
    try:
        if missing:
            del large.tiles[tile]
        else:
            large.tiles[tile] = bytes(rotten)
        index = tile[1] * 256 + 7
        with pytest.raises(Unverified) as caught:
            tree.inclusion(index, MANY)
    finally:
        large.tiles[tile] = sound
    assert (caught.value.reason, caught.value.path) == ("BAD_TILE", f"tiles[{tile[0]}][{tile[1]}]")
    merkle.verify_inclusion(LEAVES[index], index, MANY, tree.inclusion(index, MANY), tree.root())


def test_a_tile_that_has_rotted_before_opening_shows_in_the_root_or_is_named(large):
    tile = 0, 260  # its root stands in the partial tile above
    sound = large.tiles[tile]
    try:
        large.tiles[tile] = sound[:-1] + bytes([sound[-1] ^ 1])
        assert large.opened(MANY).root() != merkle.root_of(LEAVES)
        large.tiles[tile] = sound[:-1]
        with pytest.raises(Unverified) as caught:
            large.opened(MANY)
        assert caught.value.path == "tiles[0][260]"
    finally:
        large.tiles[tile] = sound
