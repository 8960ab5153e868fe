"""RFC 6962: roots, proofs and their verification, against the RFC's own recursion and known values."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.tlog import merkle
from ledger.tlog.merkle import CompactRange
from tests.ledger import rfc6962

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "merkle.json").read_text())

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

SIZE = 64
ENTRIES = [b"entry %d" % number for number in range(SIZE + 1)]
HASHES = [merkle.leaf_hash(entry) for entry in ENTRIES]
OTHER = bytes(range(32))


@cache
def root(size: int) -> bytes:
    return rfc6962.mth(ENTRIES[:size])


def reader(size: int) -> merkle.NodeReader:
    """The stored tree of `size` entries: it has complete subtrees and nothing else."""

    @cache
    def node(level: int, index: int) -> bytes:
        assert (index + 1) << level <= size, "asked for an incomplete subtree"
        return rfc6962.mth(ENTRIES[index << level : (index + 1) << level])

    return node


def uniform(level: int, index: int) -> bytes:
    """The stored tree of any number of equal leaves, for sizes nobody can build."""
    assert (index + 1) << level <= merkle.MAX_SIZE
    return _uniform(level)


@cache
def _uniform(level: int) -> bytes:
    return HASHES[0] if level == 0 else merkle.node_hash(_uniform(level - 1), _uniform(level - 1))


def flipped(hash_: bytes) -> bytes:
    return bytes([hash_[0] ^ 1]) + hash_[1:]


# Roots


def test_no_entries_have_the_root_of_nothing():
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.root_of([]) == CompactRange().root() == merkle.root_at(0, reader(0)) == merkle.EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int):
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES[:size]]
    assert merkle.root_of(leaves).hex() == ROOTS[size - 1]


def test_a_leaf_is_never_a_node():
    left, right = HASHES[:2]
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)


@pytest.mark.parametrize("size", range(SIZE + 1))
def test_every_way_to_a_root_gives_the_rfcs(size: int):
    one_by_one = CompactRange()
    for hash_ in HASHES[:size]:
        one_by_one.append(hash_)
    assert one_by_one.root() == root(size)
    assert one_by_one.size == size
    assert merkle.root_of(HASHES[:size]) == root(size)
    assert merkle.root_at(size, reader(size)) == root(size)


@given(st.lists(st.integers(0, 12), max_size=8))
@settings(max_examples=100)
def test_the_edge_grows_in_steps_of_any_length(steps: list[int]):
    tree, size = CompactRange(), 0
    for step in steps:
        step = min(step, SIZE - size)
        tree.extend(iter(HASHES[size : size + step]))
        size += step
        assert (tree.size, tree.root()) == (size, root(size))


def test_the_edge_takes_more_than_one_batch_and_equals_the_rfcs():
    entries = [b"%d" % number for number in range(9001)]
    tree = CompactRange()
    tree.extend(merkle.leaf_hash(entry) for entry in entries)
    assert tree.root() == rfc6962.mth(entries)


@pytest.mark.parametrize("size", range(SIZE))
def test_an_edge_loaded_from_storage_or_from_its_peaks_grows_on(size: int):
    loaded = CompactRange.load(size, reader(size))
    restored = CompactRange(size, loaded.peaks)
    assert len(loaded.peaks) == size.bit_count()
    for tree in (loaded, restored):
        tree.append(HASHES[size])
        assert tree.root() == root(size + 1)


def test_a_copy_grows_on_its_own():
    tree = CompactRange()
    tree.extend(HASHES[:5])
    other = tree.copy()
    other.append(OTHER)
    assert (tree.size, tree.root()) == (5, root(5))
    assert (other.size, other.root()) == (6, merkle.root_of([*HASHES[:5], OTHER]))


@pytest.mark.parametrize("batch", [[b""], [OTHER[:31]], [OTHER + b"\0"], [OTHER, b"short", OTHER]])
def test_a_batch_with_a_wrong_hash_leaves_the_edge_as_it_was(batch: list[bytes]):
    tree = CompactRange()
    tree.extend(HASHES[:5])
    with pytest.raises(InvalidInput):
        tree.extend(batch)
    assert (tree.size, tree.root()) == (5, root(5))


@pytest.mark.parametrize(
    ("size", "peaks"),
    [(0, [OTHER]), (1, []), (2, [OTHER, OTHER]), (3, [OTHER]), (3, [OTHER, OTHER[:31]]), (-1, []), (1 << 63, [OTHER])],
)
def test_an_edge_whose_peaks_do_not_fit_its_size_is_refused(size: int, peaks: list[bytes]):
    with pytest.raises(InvalidInput):
        CompactRange(size, peaks)


def test_an_edge_never_grows_beyond_the_largest_size():
    tree = CompactRange.load(merkle.MAX_SIZE, uniform)
    before = tree.root()
    with pytest.raises(InvalidInput):
        tree.append(HASHES[0])
    assert (tree.size, tree.root()) == (merkle.MAX_SIZE, before)


# Inclusion


@pytest.mark.parametrize("size", range(1, SIZE + 1))
def test_every_inclusion_path_is_the_rfcs_and_verifies(size: int):
    for index in range(size):
        path = merkle.inclusion_path(index, size, reader(size))
        assert list(path) == rfc6962.path(index, ENTRIES[:size])
        merkle.verify_inclusion(HASHES[index], index, size, path, root(size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 64])
def test_a_path_proves_no_other_leaf_index_root_or_hash(size: int):
    for index in range(size):
        path = merkle.inclusion_path(index, size, reader(size))
        wrong = [
            (OTHER, index, path, root(size)),
            (HASHES[index], index, path, flipped(root(size))),
            *[
                (HASHES[index], index, (*path[:n], flipped(path[n]), *path[n + 1 :]), root(size))
                for n in range(len(path))
            ],
            *[(HASHES[index], other, path, root(size)) for other in range(size) if other != index],
        ]
        for leaf, position, hashes, claimed in wrong:
            with pytest.raises((Unverified, InvalidInput)):
                merkle.verify_inclusion(leaf, position, size, hashes, claimed)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 64])
def test_a_path_of_any_other_length_is_refused(size: int):
    for index in range(size):
        path = merkle.inclusion_path(index, size, reader(size))
        for wrong in (path[1:], path[:-1], (*path, OTHER), (OTHER, *path), (*path, *path, OTHER)):
            if len(wrong) != len(path):
                with pytest.raises(InvalidInput):
                    merkle.verify_inclusion(HASHES[index], index, size, wrong, root(size))


def test_a_bare_path_does_not_bind_the_size_which_is_why_heads_do():
    path = merkle.inclusion_path(0, 3, reader(3))
    merkle.verify_inclusion(HASHES[0], 0, 4, path, root(3))


def test_the_root_a_path_leads_to():
    path = merkle.inclusion_path(4, 7, reader(7))
    assert merkle.root_from_inclusion(HASHES[4], 4, 7, path) == root(7)


# Consistency


@pytest.mark.parametrize("new", range(SIZE + 1))
def test_every_consistency_path_is_the_rfcs_and_verifies(new: int):
    for old in range(new + 1):
        path = merkle.consistency_path(old, new, reader(new))
        assert list(path) == (rfc6962.proof(old, ENTRIES[:new]) if old else [])
        merkle.verify_consistency(old, root(old), new, root(new), path)


@pytest.mark.parametrize("new", [2, 3, 7, 8, 13, 64])
def test_a_consistency_path_joins_no_other_roots_sizes_or_hashes(new: int):
    for old in range(1, new):
        path = merkle.consistency_path(old, new, reader(new))
        wrong = [
            (old, flipped(root(old)), new, root(new), path),
            (old, root(old), new, flipped(root(new)), path),
            (old, root(new), new, root(old), path),
            (old, root(old - 1), new, root(new), path),
            *[
                (old, root(old), new, root(new), (*path[:n], flipped(path[n]), *path[n + 1 :]))
                for n in range(len(path))
            ],
            *[(other, root(old), new, root(new), path) for other in range(new + 1) if other != old],
        ]
        for arguments in wrong:
            with pytest.raises((Unverified, InvalidInput)):
                merkle.verify_consistency(*arguments)


@pytest.mark.parametrize("new", [0, 1, 2, 3, 7, 8, 13, 64])
def test_a_consistency_path_of_any_other_length_is_refused(new: int):
    for old in range(new + 1):
        path = merkle.consistency_path(old, new, reader(new))
        for wrong in (path[1:], path[:-1], (*path, OTHER), (OTHER, *path)):
            if len(wrong) != len(path):
                with pytest.raises(InvalidInput):
                    merkle.verify_consistency(old, root(old), new, root(new), wrong)


def test_two_roots_of_one_size_are_never_consistent():
    for size in (0, 1, 5):
        with pytest.raises(Unverified):
            merkle.verify_consistency(size, root(size), size, OTHER, ())


def test_nothing_but_the_empty_root_stands_for_no_entries():
    merkle.verify_consistency(0, merkle.EMPTY_ROOT, 5, root(5), ())
    with pytest.raises(Unverified):
        merkle.verify_consistency(0, OTHER, 5, root(5), ())


def test_a_rewritten_entry_leaves_no_path_between_the_roots():
    rewritten = [*HASHES[:3], OTHER, *HASHES[4:8]]
    node = lambda level, index: merkle.root_of(rewritten[index << level : (index + 1) << level])  # noqa: E731
    for old in range(4, 8):
        with pytest.raises(Unverified):
            merkle.verify_consistency(
                old, root(old), 8, merkle.root_of(rewritten), merkle.consistency_path(old, 8, node)
            )


# Sizes nobody can build


@given(st.data())
@settings(max_examples=150)
def test_proofs_hold_at_any_size(data: st.DataObject):
    size = data.draw(st.integers(1, merkle.MAX_SIZE))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    whole = merkle.root_at(size, uniform)
    path = merkle.inclusion_path(index, size, uniform)
    assert len(path) <= 63
    merkle.verify_inclusion(HASHES[0], index, size, path, whole)
    between = merkle.consistency_path(old, size, uniform)
    assert len(between) <= 64
    merkle.verify_consistency(old, merkle.root_at(old, uniform), size, whole, between)


# Arguments

SIZE_ERRORS = [-1, 1 << 63, 1 << 64, True, 3.0, "3", None]


@pytest.mark.parametrize("size", SIZE_ERRORS)
def test_what_is_no_size_is_refused(size: object):
    node = reader(8)
    calls: list[Callable[[], object]] = [
        lambda: merkle.root_at(size, node),  # type: ignore[arg-type]
        lambda: merkle.inclusion_path(0, size, node),  # type: ignore[arg-type]
        lambda: merkle.consistency_path(0, size, node),  # type: ignore[arg-type]
        lambda: merkle.consistency_path(size, 8, node),  # type: ignore[arg-type]
        lambda: merkle.verify_inclusion(OTHER, 0, size, (), OTHER),  # type: ignore[arg-type]
        lambda: merkle.verify_consistency(0, OTHER, size, OTHER, ()),  # type: ignore[arg-type]
        lambda: merkle.verify_consistency(size, OTHER, 8, OTHER, ()),  # type: ignore[arg-type]
        lambda: CompactRange.load(size, node),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(InvalidInput):
            call()


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (4, 3), (0, 0), (True, 3), ("0", 3)])
def test_an_index_outside_the_tree_is_refused(index: int, size: int):
    with pytest.raises(InvalidInput):
        merkle.inclusion_path(index, size, reader(8))
    with pytest.raises(InvalidInput):
        merkle.verify_inclusion(OTHER, index, size, (OTHER, OTHER), OTHER)
    with pytest.raises(InvalidInput):
        merkle.root_from_inclusion(OTHER, index, size, (OTHER, OTHER))


def test_a_tree_does_not_shrink():
    with pytest.raises(InvalidInput):
        merkle.consistency_path(4, 3, reader(4))
    with pytest.raises(InvalidInput):
        merkle.verify_consistency(4, root(4), 3, root(3), ())


@pytest.mark.parametrize("wrong", [b"", OTHER[:31], OTHER + b"\0", OTHER.hex(), None])
def test_what_is_no_hash_is_refused(wrong: bytes):
    path = merkle.inclusion_path(1, 2, reader(2))
    for leaf, hashes, claimed in [(wrong, path, root(2)), (HASHES[1], (wrong,), root(2)), (HASHES[1], path, wrong)]:
        with pytest.raises(InvalidInput):
            merkle.verify_inclusion(leaf, 1, 2, hashes, claimed)
    joint = merkle.consistency_path(1, 2, reader(2))
    for old, new, hashes in [(wrong, root(2), joint), (root(1), wrong, joint), (root(1), root(2), (wrong,))]:
        with pytest.raises(InvalidInput):
            merkle.verify_consistency(1, old, 2, new, hashes)


@given(
    st.integers(-1, 40),
    st.integers(-1, 40),
    st.lists(st.binary(min_size=32, max_size=32) | st.binary(max_size=40), max_size=8),
    st.binary(min_size=32, max_size=32),
)
@settings(max_examples=200)
def test_made_up_proofs_are_refused_and_nothing_else_happens(
    first: int, second: int, path: list[bytes], claimed: bytes
):
    with pytest.raises(PlimsollError):
        merkle.verify_inclusion(OTHER, first, second, path, claimed)
    with pytest.raises(PlimsollError):
        merkle.verify_consistency(first, OTHER, second, claimed, path)


# Vectors a second implementation reads


@pytest.mark.parametrize("tree", VECTORS["trees"], ids=lambda tree: f"size {tree['size']}")
def test_vectors(tree: dict):
    size, whole = tree["size"], bytes.fromhex(tree["root"])
    hashes = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in VECTORS["entries"][:size]]
    node = lambda level, index: merkle.root_of(hashes[index << level : (index + 1) << level])  # noqa: E731
    assert merkle.root_of(hashes) == whole
    assert [[hash_.hex() for hash_ in merkle.inclusion_path(n, size, node)] for n in range(size)] == tree["inclusion"]
    for old, path in enumerate(tree["consistency"], 1):
        assert [hash_.hex() for hash_ in merkle.consistency_path(old, size, node)] == path
        merkle.verify_consistency(
            old, merkle.root_of(hashes[:old]), size, whole, [bytes.fromhex(hash_) for hash_ in path]
        )
