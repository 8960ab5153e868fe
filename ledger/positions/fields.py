"""The seven encrypted fields of a position (design, section 6), in the order of their numbers."""

from __future__ import annotations

from enum import IntEnum


class Field(IntEnum):
    """A field's number: its place in a ciphertext, a key vector and every transcript."""

    OUTSTANDING = 0
    MONTHLY_DUE = 1
    CREDIT_LIMIT = 2
    TALLY_LOW = 3
    TALLY_HIGH = 4
    BAND = 5
    OVERDUE_BAND = 6

    @property
    def label(self) -> str:
        """The field's name in reports and messages: "outstanding"."""
        return self.name.lower()


FIELDS = tuple(Field)
# Released only under the release rule; sums of minor units.
AMOUNTS = (Field.OUTSTANDING, Field.MONTHLY_DUE, Field.CREDIT_LIMIT)
# Always released; packed digits (ledger.positions.digits).
PACKED = (Field.TALLY_LOW, Field.TALLY_HIGH, Field.BAND, Field.OVERDUE_BAND)
