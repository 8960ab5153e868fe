"""RFC 6962, section 2.1, from the entries' leaf hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tests.second.refusal import require

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1


def root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    k = _split(len(leaves))
    return node_hash(root(leaves[:k]), root(leaves[k:]))


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to: the recursion of section 2.1.1 walked backwards."""
    require(0 <= index < size, "BAD_PROOF", "index not in the tree")
    if size == 1:
        require(not path, "BAD_PROOF", "path too long")
        return leaf
    require(path, "BAD_PROOF", "path too short")
    k = _split(size)
    if index < k:
        return node_hash(root_from_inclusion(index, k, leaf, path[:-1]), path[-1])
    return node_hash(path[-1], root_from_inclusion(index - k, size - k, leaf, path[:-1]))


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Section 2.1.2: SUBPROOF(m, D[n], true) read from its end."""
    require(0 < old <= new, "BAD_PROOF", "sizes")
    if old == new:
        require(not path and old_root == new_root, "BAD_PROOF", "same size")
        return
    rebuilt_old, rebuilt_new = _subroots(old, new, old_root, path, whole=True)
    require(rebuilt_old == old_root and rebuilt_new == new_root, "BAD_PROOF", "another root")


def _subroots(m: int, n: int, old_root: bytes, path: Sequence[bytes], *, whole: bool) -> tuple[bytes, bytes]:
    if m == n:
        require(len(path) == (0 if whole else 1), "BAD_PROOF", "path length")
        known = old_root if whole else path[0]
        return known, known
    require(path, "BAD_PROOF", "path too short")
    k = _split(n)
    if m <= k:
        old, new = _subroots(m, k, old_root, path[:-1], whole=whole)
        return old, node_hash(new, path[-1])
    old, new = _subroots(m - k, n - k, old_root, path[:-1], whole=False)
    return node_hash(path[-1], old), node_hash(path[-1], new)
