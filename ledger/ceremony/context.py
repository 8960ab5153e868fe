"""What every entry of a key ceremony is bound to (protocol, section 5): consortium, manifest, and who takes part.

Two parts are played in it. Dealers deal and reveal; receivers are who will hold the shares, and do all else. At the
founding both are the custodians. In a resharing the dealers are the custodians of an epoch before, `Former`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.consortium.manifest import Manifest
from ledger.crypto import shamir
from ledger.crypto.group import Point, Scalar
from ledger.crypto.hashing import digest
from ledger.errors import InvalidInput
from ledger.keys import PublicKeys


@dataclass(frozen=True, slots=True)
class Former:
    """The epoch that a resharing is dealt from. custodians, threshold: those of its manifest. keys: final."""

    custodians: tuple[str, ...]
    threshold: int
    keys: PublicKeys

    def __post_init__(self) -> None:
        if len(self.keys.custodians) != len(self.custodians):
            raise InvalidInput("BAD_EPOCH", "the keys dealt from are not those of these custodians")


@dataclass(frozen=True, slots=True)
class CeremonyContext:
    """consortium, manifest: ids, 32 bytes each. custodians: the receivers' names by index, the first has index 1.

    threshold: how many of their shares will make a key; the manifest asks for more than half of the custodians. former:
    what is dealt from; None at the founding. What the ceremony promises it promises as long as of dealers and of
    receivers fewer than their threshold are dishonest. Raises InvalidInput for an epoch not above the former one.
    """

    consortium: bytes
    manifest: bytes
    epoch: int
    custodians: tuple[str, ...]
    threshold: int
    former: Former | None = None

    def __post_init__(self) -> None:
        if self.former is not None and self.epoch <= self.former.keys.epoch:
            raise InvalidInput("BAD_EPOCH", "a key epoch is dealt from one before it", "epoch")

    @classmethod
    def of(cls, manifest: Manifest, epoch: int = 1, former: Former | None = None) -> CeremonyContext:
        """The context of the ceremony for the custodians of this manifest."""
        return cls(manifest.consortium, manifest.id, epoch, manifest.custodians, manifest.threshold, former)

    @property
    def size(self) -> int:
        """The number of receivers: n, or n' in a resharing."""
        return len(self.custodians)

    @property
    def indices(self) -> range:
        """The receivers' indices, 1 .. size."""
        return range(1, self.size + 1)

    @property
    def dealers(self) -> tuple[str, ...]:
        """The dealers' names by index, the first has index 1."""
        return self.former.custodians if self.former else self.custodians

    @property
    def dealer_indices(self) -> range:
        """1 .. n."""
        return range(1, len(self.dealers) + 1)

    @property
    def dealer_threshold(self) -> int:
        """t: how many dealings make the keys, of which one is honest."""
        return self.former.threshold if self.former else self.threshold

    @property
    def members(self) -> tuple[str, ...]:
        """Everybody whose log has a part in it, each once."""
        return tuple(dict.fromkeys((*self.dealers, *self.custodians)))

    @property
    def quorum(self) -> int:
        """ceil((size + threshold) / 2): any two sets of so many have `threshold` in common, of whom one is honest."""
        return (self.size + self.threshold + 1) // 2

    def index_of(self, name: str) -> int:
        """A receiver's index; 0 for who is none."""
        return self.custodians.index(name) + 1 if name in self.custodians else 0

    def names(self, indices: Sequence[int]) -> tuple[str, ...]:
        """The names of the receivers with these indices."""
        return tuple(self.custodians[index - 1] for index in indices)

    def dealer_index_of(self, name: str) -> int:
        """A dealer's index; 0 for who is none."""
        return self.dealers.index(name) + 1 if name in self.dealers else 0

    def dealer_names(self, indices: Sequence[int]) -> tuple[str, ...]:
        """The names of the dealers with these indices."""
        return tuple(self.dealers[index - 1] for index in indices)

    def constants(self, dealer: int) -> tuple[Point, ...] | None:
        """What a dealer's constant terms must be, by coordinate: its public share; None where it chooses them."""
        return tuple(self.former.keys.custodian(dealer)) if self.former else None

    def weights(self, dealers: Sequence[int]) -> tuple[Scalar, ...] | None:
        """What each of these dealings counts in the sum: its Lagrange coefficient in a resharing, else 1 (None)."""
        return shamir.lagrange_at_zero(dealers) if self.former else None

    def ceremony_id(self, attempt: int) -> bytes:
        """32 bytes that every entry of this attempt (1, 2, ..) names."""
        return digest("plimsoll/v1/ceremony", self.consortium, self.manifest, self.epoch, attempt)


def readies_digest(ceremony: bytes, leaves: Sequence[bytes]) -> bytes:
    """32 bytes for the Ready entries (leaf hashes in receivers' order) to whose keys a dealing is sealed."""
    return digest("plimsoll/v1/readies", ceremony, len(leaves), *leaves)


def complaint_id(ceremony: bytes, author: int, leaf: bytes) -> bytes:
    """32 bytes by which the complaint of receiver `author` is referred to.

    Not its leaf hash: another custodian can append the same bytes, and nobody could say which of the two complaints
    a Reveal answers or a Confirmation counts.
    """
    return digest("plimsoll/v1/complaint", ceremony, author, leaf)
