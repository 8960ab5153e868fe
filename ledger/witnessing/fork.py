"""A fork: two heads under one log key that no consistency proof joins (design section 4)."""

from __future__ import annotations

from ledger.errors import Unverified
from ledger.tlog.checkpoint import SignedHead


class Fork(Unverified):
    """The log's author has signed two heads of which neither extends the other. Raised on proof, never on suspicion.

    known, conflicting: the head held here and the other one. Of equal sizes they prove the fork by themselves, and
    `proof` is empty; otherwise old_root is the root that the larger one's tree has at the smaller one's size, and
    `proof` the consistency proof from it to the larger head. Both are None where the fork is certain here but the
    larger tree is not held in full, so that others cannot be shown yet: offer `known` to whoever holds it.
    """

    def __init__(
        self,
        known: SignedHead,
        conflicting: SignedHead,
        old_root: bytes | None = None,
        proof: tuple[bytes, ...] | None = None,
        path: str = "head",
    ) -> None:
        sizes = f"{known.head.size} and {conflicting.head.size}"
        super().__init__("FORK", f"{known.head.origin} has signed two histories, in heads of sizes {sizes}", path)
        self.known = known
        self.conflicting = conflicting
        self.old_root = old_root
        self.proof = proof

    def under(self, prefix: str) -> Fork:
        """See PlimsollError."""
        path = Unverified(self.reason, self.message, self.path).under(prefix).path
        return Fork(self.known, self.conflicting, self.old_root, self.proof, path)
