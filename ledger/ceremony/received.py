"""The shares that the dealers of a key ceremony sealed, or later revealed, to one custodian."""

from __future__ import annotations

from ledger.ceremony.attempt import Attempt
from ledger.ceremony.dealing import split_bundle, unseal_bundle
from ledger.ceremony.qualification import Outcome
from ledger.crypto import group
from ledger.errors import PlimsollError
from ledger.keys import SecretShares


class Received:
    """What receiver `index` can open, each bundle but once. Bundles are secret: 8 times 32 bytes, checked."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._unsealed: dict[bytes, bytes | None] = {}

    def bundle(self, attempt: Attempt, dealer: int, private: bytes) -> bytes | None:
        """This receiver's good share of a valid dealing, None where it was sent none and none was revealed.

        private: the key of its Ready, or empty.
        """
        leaf, dealing = attempt.dealings[dealer]
        if leaf not in self._unsealed and private:
            try:
                self._unsealed[leaf] = unseal_bundle(dealing, self._index, private)
            except PlimsollError:
                self._unsealed[leaf] = None
        return self._unsealed.get(leaf) or self._revealed(attempt, dealer)

    def sum_up(self, attempt: Attempt, outcome: Outcome, private: bytes) -> SecretShares:
        """This receiver's shares of the keys. It must have a bundle of every dealing that qualified."""
        bundles = [split_bundle(self.bundle(attempt, dealer, private) or b"") for dealer in outcome.qualified]
        weights = attempt.context.weights(outcome.qualified) or (group.ONE,) * len(bundles)
        coordinates = []
        for column in zip(*bundles, strict=True):
            total = group.ZERO
            for weight, share in zip(weights, column, strict=True):
                total = group.scalar_add(total, group.scalar_mul(weight, share))
            coordinates.append(total)
        return SecretShares.of(attempt.context.epoch, self._index, coordinates)

    def forget(self) -> None:
        """Leaves nothing of it in this object."""
        self._unsealed.clear()

    def _revealed(self, attempt: Attempt, dealer: int) -> bytes | None:
        for complaint in attempt.complaints.values():
            if (complaint.author, complaint.dealer) == (self._index, dealer) and attempt.is_answered(complaint):
                return attempt.reveals[complaint.id].bundle
        return None
