"""The manifests of a consortium from the founding one to the one in force (design section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput


class History:
    """Never changed: `followed_by` makes a longer one. That each successor was approved is `succession`'s."""

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        """manifests: in order, the founding one first. Raises InvalidInput where one does not follow the one before."""
        if not manifests or manifests[0].previous is not None:
            raise InvalidInput("BAD_SUCCESSION", "a history begins with a founding manifest", "manifests[0]")
        for number, (before, after) in enumerate(pairwise(manifests), 1):
            if after.previous != before.id or after.consortium != before.consortium:
                raise InvalidInput("BAD_SUCCESSION", "does not follow the manifest before it", f"manifests[{number}]")
        self.manifests = tuple(manifests)
        self._by_id = {manifest.id: manifest for manifest in manifests}
        names = dict.fromkeys(member.name for manifest in manifests for member in manifest.members)
        self._seats = {name: seat for seat, name in enumerate(names)}

    def __eq__(self, other: object) -> bool:
        """Whether these are the same manifests."""
        return isinstance(other, History) and self.manifests == other.manifests

    def __hash__(self) -> int:
        return hash(self.manifests[-1].id)

    @property
    def current(self) -> Manifest:
        """The manifest in force."""
        return self.manifests[-1]

    @property
    def consortium(self) -> bytes:
        """The founding manifest's id, 32 bytes."""
        return self.manifests[0].id

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who is or was a member, in order of joining."""
        return tuple(self._seats)

    def get(self, identity: bytes) -> Manifest | None:
        """The manifest of this id, if it is or was in force."""
        return self._by_id.get(identity)

    def seat(self, name: str) -> int:
        """A member's place, from 0, among all there ever were; it never changes. Raises KeyError for a stranger."""
        return self._seats[name]

    def keeping(self, epoch: int) -> Manifest:
        """The manifest that began a key epoch: its custodians hold that epoch's shares. Raises InvalidInput."""
        for manifest in self.manifests:
            if manifest.epoch == epoch:
                return manifest
        raise InvalidInput("OTHER_EPOCH", f"no manifest has begun key epoch {epoch}", "epoch")

    def followed_by(self, manifest: Manifest) -> History:
        """With one more manifest. Raises InvalidInput where it does not follow."""
        return History((*self.manifests, manifest))
