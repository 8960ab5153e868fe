"""A record that a challenge is about."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.chain.chain import Chain
from ledger.challenges.challenge import is_challengeable
from ledger.errors import PlimsollError


@dataclass(frozen=True, slots=True)
class Doubted:
    """The position at `index` of the log `origin`, of this leaf hash."""

    origin: str
    index: int
    leaf: bytes

    def entry(self, chain: Chain) -> bytes | None:
        """Its bytes; None where there is no such position, or it cannot be challenged."""
        try:
            entry = chain.log_by_origin(self.origin).entry(self.index)
        except PlimsollError:
            return None
        return entry if is_challengeable(entry, self.leaf) else None

    def __str__(self) -> str:
        return f"entry {self.index} of {self.origin.rpartition('/')[2]}"
