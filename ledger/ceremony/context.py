"""What every entry of a key ceremony is bound to (protocol, section 5): consortium, manifest, and who takes part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.hashing import digest
from ledger.manifest import Manifest


@dataclass(frozen=True, slots=True)
class CeremonyContext:
    """consortium, manifest: ids, 32 bytes each. custodians: names by index, the first has index 1.

    threshold: t, how many shares make a key; the manifest asks for more than half of the custodians. What the ceremony
    promises it promises as long as fewer than t custodians are dishonest.
    """

    consortium: bytes
    manifest: bytes
    epoch: int
    custodians: tuple[str, ...]
    threshold: int

    @classmethod
    def of(cls, manifest: Manifest, epoch: int = 1) -> CeremonyContext:
        """The context of the ceremony for the custodians of this manifest."""
        return cls(manifest.consortium, manifest.id, epoch, manifest.custodians, manifest.threshold)

    @property
    def size(self) -> int:
        """n, the number of custodians."""
        return len(self.custodians)

    @property
    def indices(self) -> range:
        """1 .. n."""
        return range(1, self.size + 1)

    @property
    def quorum(self) -> int:
        """q = ceil((n + t) / 2): any two sets of q have t custodians in common, of whom one is honest."""
        return (self.size + self.threshold + 1) // 2

    def index_of(self, name: str) -> int:
        """A custodian's index; 0 for who is none."""
        return self.custodians.index(name) + 1 if name in self.custodians else 0

    def names(self, indices: Sequence[int]) -> tuple[str, ...]:
        """The names of the custodians with these indices."""
        return tuple(self.custodians[index - 1] for index in indices)

    def ceremony_id(self, attempt: int) -> bytes:
        """32 bytes that every entry of this attempt (1, 2, ..) names."""
        return digest("plimsoll/v1/ceremony", self.consortium, self.manifest, self.epoch, attempt)


def readies_digest(ceremony: bytes, leaves: Sequence[bytes]) -> bytes:
    """32 bytes for the Ready entries (leaf hashes in custodian order) to whose keys a dealing is sealed."""
    return digest("plimsoll/v1/readies", ceremony, len(leaves), *leaves)


def complaint_id(ceremony: bytes, author: int, leaf: bytes) -> bytes:
    """32 bytes by which a complaint is referred to.

    Not its leaf hash: another custodian can append the same bytes, and nobody could say which of the two complaints
    a Reveal answers or a Confirmation counts.
    """
    return digest("plimsoll/v1/complaint", ceremony, author, leaf)
