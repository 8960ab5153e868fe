"""What a log's stored hashes come to: roots and proofs of RFC 6962, wherever its complete subtrees are read from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ledger.errors import InvalidInput
from ledger.tlog import merkle


class Proofs(ABC):
    """Of a tree of `size` leaves. All raise InvalidInput beyond it, and what reading the hashes raises."""

    __slots__ = ()

    @property
    @abstractmethod
    def size(self) -> int:
        """How many leaves."""

    @abstractmethod
    def node(self, level: int, index: int) -> bytes:
        """A merkle.NodeReader: the root of the complete subtree over 2^level leaves from index * 2^level on."""

    def leaf_hash(self, index: int) -> bytes:
        """Of one leaf."""
        return self.node(0, index)

    def root_at(self, size: int) -> bytes:
        """Of the first `size` leaves."""
        self._check_size(size)
        return merkle.root_at(size, self.node)

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The path from a leaf to the root at `size`, the leaf's sibling first."""
        self._check_size(size)
        return merkle.inclusion_path(index, size, self.node)

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof that the tree at `new_size` extends that at `old_size`."""
        self._check_size(new_size)
        return merkle.consistency_path(old_size, new_size, self.node)

    def _check_size(self, size: int) -> None:
        if size > self.size:
            raise InvalidInput("BAD_SIZE", f"the log has {self.size} entries here, not {size}", "size")
