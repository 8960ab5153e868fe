"""One log, read from its first entry on or from where a tree has it, block by block (docs/protocol.md, section 4).

Memory does not grow with the log: the tree's right edge, and the roots and leaves asked for beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plimsoll.v1 import peer_pb2

from ledger.chain.entries import MAX_ENTRY
from ledger.errors import InvalidInput, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, SignedHead, open_head
from ledger.tlog.merkle import CompactRange
from ledger.tlog.note import VerifierKey


@dataclass(frozen=True, slots=True)
class Taken:
    """The verified entries of a block. start: index of the first. leaves: their hashes."""

    start: int
    entries: tuple[bytes, ...]
    leaves: tuple[bytes, ...]


class Follower:
    """A log as far as it has been read and verified."""

    def __init__(
        self,
        log_key: VerifierKey,
        sizes: Iterable[int] = (),
        indices: Iterable[int] = (),
        *,
        edge: CompactRange | None = None,
        at_end: bool = False,
    ) -> None:
        """sizes: at which the root will be asked for. indices: of leaves that will be asked for. edge: of the tree that
        was verified before; copied. at_end: blocks come without proofs, and the root is compared where the head's size
        is reached: until then nothing is verified."""
        self._key = log_key
        self._tree = CompactRange() if edge is None else edge.copy()
        self.start = self._tree.size
        self._at_end = at_end
        self._wanted_sizes = set(sizes)
        self._wanted_indices = set(indices)
        self._roots = {0: merkle.EMPTY_ROOT, self._tree.size: self._tree.root()}
        self._leaves: dict[int, bytes] = {}
        self._newest: tuple[bytes, SignedHead] | None = None

    @property
    def size(self) -> int:
        """How many entries."""
        return self._tree.size

    @property
    def edge(self) -> CompactRange:
        """Where another one can go on."""
        return self._tree.copy()

    @property
    def head(self) -> Head:
        """The tree that was read."""
        return Head(self._key.name, self._tree.size, self._tree.root())

    @property
    def newest(self) -> SignedHead | None:
        """The signed head of the last block; None before the first one."""
        return None if self._newest is None else self._newest[1]

    def root_at(self, size: int) -> bytes | None:
        """The root at a size that was asked for and has been reached."""
        return self._tree.root() if size == self.size else self._roots.get(size)

    def leaf(self, index: int) -> bytes | None:
        """The leaf hash at an index that was asked for and has been reached."""
        return self._leaves.get(index)

    def want(self, sizes: Iterable[int]) -> None:
        """Further sizes, not yet reached, at which the root will be asked for."""
        self._wanted_sizes.update(sizes)

    def take(self, block: peer_pb2.Block) -> Taken:
        """Verifies the next block. Raises InvalidInput or Unverified, and then stands where it stood."""
        entries = tuple(block.entries)
        leaves = tuple(map(merkle.leaf_hash, entries))
        self.take_hashed(block, leaves, fits(entries))
        return Taken(block.start, entries, leaves)

    def take_hashed(self, block: peer_pb2.Block, leaves: tuple[bytes, ...], fit: bool) -> None:
        """The same, where the entries' hashes, and whether these entries `fits`, have been worked out."""
        if block.origin != self._key.name or block.start != self.size:
            raise Unverified("OTHER_BLOCK", f"not the entries from {self.size} on of the log asked for")
        if not fit:
            raise InvalidInput("BAD_ENTRY_SIZE", f"a block has entries, of 1 to {MAX_ENTRY} bytes each")
        tree, roots = self._grown(leaves)
        self._check_head(block, tree)
        self._keep(leaves, tree, roots)

    def _grown(self, leaves: tuple[bytes, ...]) -> tuple[CompactRange, dict[int, bytes]]:
        """The tree with these leaves, and the roots asked for on the way."""
        tree, roots = self._tree.copy(), {}
        stops = sorted(size for size in self._wanted_sizes if tree.size < size <= tree.size + len(leaves))
        done = 0
        for stop in stops:
            tree.extend(leaves[done : stop - self.size])
            done = stop - self.size
            roots[stop] = tree.root()
        tree.extend(leaves[done:])
        return tree, roots

    def _check_head(self, block: peer_pb2.Block, tree: CompactRange) -> None:
        head = self._open(block.head).head
        if head.size < tree.size:
            raise Unverified("HEAD_TOO_SMALL", "the block's head does not cover its entries", "head")
        if self._at_end and tree.size < head.size:
            return
        try:
            merkle.verify_consistency(tree.size, tree.root(), head.size, head.root, tuple(block.consistency))
        except Unverified as error:
            raise Unverified("ROOT_MISMATCH", "the entries are not those that the log's author has signed") from error

    def _open(self, raw: bytes) -> SignedHead:
        """Blocks of one answer mostly come with one head: its signature is checked once."""
        if self._newest is None or self._newest[0] != raw:
            self._newest = raw, open_head(raw, self._key)
        return self._newest[1]

    def _keep(self, leaves: tuple[bytes, ...], tree: CompactRange, roots: dict[int, bytes]) -> None:
        start, self._tree = self.size, tree
        self._roots |= roots
        for index in [index for index in self._wanted_indices if start <= index < tree.size]:
            self._leaves[index] = leaves[index - start]
            self._wanted_indices.remove(index)


def fits(entries: Sequence[bytes]) -> bool:
    """Whether these can be a block's entries, by their number and sizes."""
    sizes = list(map(len, entries))
    return bool(sizes) and 1 <= min(sizes) <= max(sizes) <= MAX_ENTRY
