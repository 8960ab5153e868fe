"""What a reader says when the replica ends too early: not a verdict, but an errand for whoever can fetch."""

from __future__ import annotations

from ledger.errors import Unavailable


class LacksEntries(Unavailable):
    """The log of `member` must be held up to `size` entries. Fetch and ask again; as an error it means nobody could."""

    member: str = ""
    size: int = 0

    @classmethod
    def of(cls, member: str, size: int) -> LacksEntries:
        """For this log and this size."""
        error = cls("LACKS_ENTRIES", f"the log of {member} is needed up to {size} entries", "heads")
        error.member, error.size = member, size
        return error
