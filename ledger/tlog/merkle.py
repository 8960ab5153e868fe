"""Merkle tree hashing and proofs of RFC 6962 section 2.1 (RFC 9162 section 2.1), as pure functions over hashes.

MTH({}) = SHA-256(""), a leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right), and a tree of n leaves
splits at the largest power of two below n. Whoever stores a tree hands in `node(level, index)`: the root of the
complete subtree over leaves index * 2^level .. (index + 1) * 2^level - 1. Nothing here asks for an incomplete one.

A bare proof does not bind the tree size: size and root must come together out of one verified head.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from hmac import compare_digest
from itertools import islice

from ledger.errors import InvalidInput, Unverified

HASH_SIZE = 32
MAX_SIZE = (1 << 63) - 1  # what the signed 64-bit integers of other implementations hold
EMPTY_ROOT = hashlib.sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]

_LEAF = b"\x00"
_NODE = b"\x01"
_BATCH = 4096


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry): 32 bytes."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right): 32 bytes."""
    return hashlib.sha256(_NODE + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """MTH over these leaf hashes. Raises InvalidInput where one is not 32 bytes."""
    tree = CompactRange()
    tree.extend(leaf_hashes)
    return tree.root()


class CompactRange:
    """The right edge of a growing tree: all an appender needs, in O(log n) memory.

    It holds the roots ("peaks") of the complete subtrees the size's binary digits name, one a level.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """The edge of `size` leaves from its peaks, largest subtree first. Raises InvalidInput."""
        _check_size(size, "size")
        if len(peaks) != size.bit_count():
            raise InvalidInput("BAD_PEAKS", f"a tree of this size has {size.bit_count()} peaks", "peaks")
        for position, peak in enumerate(peaks):
            _check_hash(peak, f"peaks[{position}]")
        self._size = size
        waiting = list(peaks)
        self._peaks = [waiting.pop() if size >> level & 1 else None for level in range(size.bit_length())]

    @classmethod
    def load(cls, size: int, node: NodeReader) -> CompactRange:
        """The edge at `size` of a stored tree. Raises InvalidInput, and whatever `node` raises."""
        _check_size(size, "size")
        return cls(size, [node(level, index) for level, index in _cover(0, size)])

    @property
    def size(self) -> int:
        """How many leaves."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, largest first."""
        return tuple(peak for peak in reversed(self._peaks) if peak is not None)

    def copy(self) -> CompactRange:
        """An edge that grows on its own."""
        return CompactRange(self._size, self.peaks)

    def append(self, leaf_hash: bytes) -> None:
        """Adds one leaf. Raises InvalidInput where it is not a hash, and then stays as it was."""
        self._merge([leaf_hash])

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Adds leaves in order, 4,096 at a time. Raises InvalidInput at the first batch with a wrong one."""
        rest = iter(leaf_hashes)
        while batch := list(islice(rest, _BATCH)):
            self._merge(batch)

    def _merge(self, row: list[bytes]) -> None:
        """Row by row instead of leaf by leaf: the pairs of one level are hashed in a single comprehension."""
        if self._size + len(row) > MAX_SIZE or set(map(len, row)) != {HASH_SIZE}:
            raise InvalidInput("BAD_HASH", "leaf hashes are 32 bytes each", "leaf_hashes")
        self._size += len(row)
        sha256, peaks, level = hashlib.sha256, self._peaks, 0
        while row:
            if level == len(peaks):
                peaks.append(None)
            peak = peaks[level]
            if peak is not None:
                row.insert(0, peak)
            peaks[level] = row.pop() if len(row) & 1 else None
            pairs = iter(row)
            row = [sha256(_NODE + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            level += 1

    def root(self) -> bytes:
        """MTH over all leaves so far."""
        return _fold(self.peaks)


def root_at(size: int, node: NodeReader) -> bytes:
    """MTH over the first `size` leaves of a stored tree. Raises InvalidInput, and whatever `node` raises."""
    _check_size(size, "size")
    return _subtree(0, size, node)


def inclusion_path(index: int, size: int, node: NodeReader) -> tuple[bytes, ...]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1, the leaf's sibling first. Raises InvalidInput."""
    _check_index(index, size)
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append(_subtree(split, end, node))
            end = split
        else:
            path.append(_subtree(start, split, node))
            start = split
    return tuple(reversed(path))


def consistency_path(old_size: int, new_size: int, node: NodeReader) -> tuple[bytes, ...]:
    """PROOF(old_size, D[new_size]) of RFC 6962 section 2.1.2; empty for equal sizes and from 0. Raises InvalidInput."""
    _check_sizes(old_size, new_size)
    if old_size == 0:
        return ()
    path: list[bytes] = []
    start, end = 0, new_size
    while end != old_size:
        split = start + _split(end - start)
        if old_size <= split:
            path.append(_subtree(split, end, node))
            end = split
        else:
            path.append(_subtree(start, split, node))
            start = split
    if start:  # the verifier knows the subtree at hand only where it is the whole old tree
        path.append(_subtree(start, end, node))
    return tuple(reversed(path))


def check_inclusion_path(index: int, size: int, path: Sequence[bytes]) -> None:
    """Refuses what cannot be an inclusion path for this index and size, whatever the hashes. Raises InvalidInput."""
    _check_index(index, size)
    inner = (index ^ (size - 1)).bit_length()
    _check_path(path, inner + (index >> inner).bit_count())


def root_from_inclusion(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that `path` (leaf's sibling first) leads to. Raises InvalidInput for a path of the wrong shape."""
    check_inclusion_path(index, size, path)
    _check_hash(leaf_hash, "leaf_hash")
    inner = (index ^ (size - 1)).bit_length()  # levels below the one where this leaf's way joins the right edge
    return _climb_edge(_climb(leaf_hash, index, path[:inner]), path[inner:])


def verify_inclusion(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Checks that the leaf stands at `index` under the verified head (size, root). RFC 9162 section 2.1.3.2.

    Raises InvalidInput for arguments of the wrong shape, Unverified where the path leads to another root.
    """
    _check_hash(root, "root")
    if not compare_digest(root_from_inclusion(leaf_hash, index, size, path), root):
        raise Unverified("ROOT_MISMATCH", "the inclusion path does not lead to the head's root", "path")


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Checks that the tree (new_size, new_root) extends (old_size, old_root). RFC 9162 section 2.1.4.2.

    Every tree extends the empty one, by an empty path. Raises InvalidInput for arguments of the wrong shape (old_size
    above new_size among them), Unverified where the path does not join the two roots.
    """
    _check_sizes(old_size, new_size)
    _check_hash(old_root, "old_root")
    _check_hash(new_root, "new_root")
    _check_path(path, _consistency_path_length(old_size, new_size))
    if old_size == 0 and not compare_digest(old_root, EMPTY_ROOT):
        raise Unverified("ROOT_MISMATCH", "not the root of no entries", "old_root")
    if old_size == new_size and not compare_digest(old_root, new_root):
        raise Unverified("ROOT_MISMATCH", "two different roots for one size", "new_root")
    if old_size in (0, new_size):
        return
    old, new = _roots_from_consistency(old_size, old_root, new_size, path)
    if not (compare_digest(old, old_root) and compare_digest(new, new_root)):
        raise Unverified("ROOT_MISMATCH", "the consistency path does not join the two roots", "path")


def _roots_from_consistency(
    old_size: int, old_root: bytes, new_size: int, path: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """The old and the new root a path of checked length leads to, for 0 < old_size < new_size.

    Both climb from the last complete subtree of the old tree: the old root needs only what lies to its left.
    """
    shift = (old_size & -old_size).bit_length() - 1
    alone = old_size == 1 << shift  # the old tree is complete: its root is the seed and is left out of the path
    seed, rest = (old_root, path) if alone else (path[0], path[1:])
    last = (old_size - 1) >> shift
    inner = (last ^ (new_size - 1) >> shift).bit_length()
    left_only = [sibling for level, sibling in enumerate(rest[:inner]) if last >> level & 1]
    old = _climb_edge(_climb_edge(seed, left_only), rest[inner:])
    return old, _climb_edge(_climb(seed, last, rest[:inner]), rest[inner:])


def _consistency_path_length(old_size: int, new_size: int) -> int:
    if old_size in (0, new_size):
        return 0
    shift = (old_size & -old_size).bit_length() - 1
    last = (old_size - 1) >> shift
    inner = (last ^ (new_size - 1) >> shift).bit_length()
    return (last > 0) + inner + (last >> inner).bit_count()


def _climb(hash_: bytes, index: int, siblings: Sequence[bytes]) -> bytes:
    """Up through complete levels: the binary digits of `index` say on which side each sibling stands."""
    sha256 = hashlib.sha256
    for sibling in siblings:
        pair = sibling + hash_ if index & 1 else hash_ + sibling
        hash_ = sha256(_NODE + pair).digest()
        index >>= 1
    return hash_


def _climb_edge(hash_: bytes, siblings: Sequence[bytes]) -> bytes:
    """Up along the right edge, where every sibling stands to the left."""
    for sibling in siblings:
        hash_ = node_hash(sibling, hash_)
    return hash_


def _fold(peaks: Sequence[bytes]) -> bytes:
    """The root over complete subtrees of decreasing size."""
    if not peaks:
        return EMPTY_ROOT
    return _climb_edge(peaks[-1], peaks[-2::-1])


def _subtree(start: int, end: int, node: NodeReader) -> bytes:
    """MTH(D[start:end]) for a range that RFC 6962's recursion reaches, out of complete subtrees."""
    return _fold([node(level, index) for level, index in _cover(start, end)])


def _cover(start: int, end: int) -> list[tuple[int, int]]:
    """(level, index) of the complete subtrees that make up start .. end - 1, left to right; start is aligned."""
    cover = []
    while start < end:
        level = (end - start).bit_length() - 1
        cover.append((level, start >> level))
        start += 1 << level
    return cover


def _split(count: int) -> int:
    """The largest power of two below `count`, for count above 1."""
    return 1 << ((count - 1).bit_length() - 1)


def _check_size(size: int, path: str) -> None:
    if type(size) is not int or not 0 <= size <= MAX_SIZE:
        raise InvalidInput("BAD_SIZE", "a tree size is an integer in 0 .. 2^63 - 1", path)


def _check_sizes(old_size: int, new_size: int) -> None:
    _check_size(old_size, "old_size")
    _check_size(new_size, "new_size")
    if old_size > new_size:
        raise InvalidInput("BAD_SIZE", "the old tree is larger than the new one", "old_size")


def _check_index(index: int, size: int) -> None:
    _check_size(size, "size")
    if type(index) is not int or not 0 <= index < size:
        raise InvalidInput("BAD_INDEX", "no leaf of that index in a tree of this size", "index")


def _check_hash(hash_: bytes, path: str) -> None:
    if not isinstance(hash_, bytes) or len(hash_) != HASH_SIZE:
        raise InvalidInput("BAD_HASH", "a hash is 32 bytes", path)


def _check_path(path: Sequence[bytes], length: int) -> None:
    if len(path) != length:
        raise InvalidInput("BAD_PATH_LENGTH", f"this proof has {length} hashes, not {len(path)}", "path")
    for position, hash_ in enumerate(path):
        _check_hash(hash_, f"path[{position}]")
