"""Keys and labels of one borrower: how its entries are found by who holds the key, and by nobody else (protocol, 6).

Labels are dynamic searchable encryption: entry n of a kind in a member's log lies under a keyed function of kind,
member and n, so that without the key two labels of one borrower have nothing in common.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Protocol

from ledger.crypto.hashing import derive, frame
from ledger.crypto.oprf import OUTPUT_SIZE
from ledger.errors import InvalidInput

KEY_SIZE = 32
LABEL_SIZE = 16
POSITION = "position"
INQUIRY = "inquiry"
# Beyond this no number exists: an author that fills 0, 1, 2, 4, 8, .. must not lead a search past 64 bits.
NUMBER_LIMIT = 1 << 32

_LABEL_DOMAIN = "plimsoll/v1/label"


class Findable(Protocol):
    """The part of a log that a search needs."""

    def find(self, label: bytes) -> int | None:
        """Index of the first entry with this label."""


class Labels:
    """The labels of one kind, borrower and member, by number."""

    __slots__ = ("_key", "_prefix")

    def __init__(self, key: bytes, kind: str, member: str) -> None:
        """key: the label key for positions, the inquiry key for inquiries."""
        self._key = key
        # The number is an integer and comes last, so the frame of all that is before it can be made once.
        self._prefix = frame(_LABEL_DOMAIN, kind, member)

    def __call__(self, number: int) -> bytes:
        """16 bytes for 0 <= number < 2^32."""
        return hmac.digest(self._key, self._prefix + number.to_bytes(8, "big"), "sha256")[:LABEL_SIZE]


class Numbered:
    """The entries of one log under one borrower's labels, by number. Good for one question, as it remembers indices."""

    __slots__ = ("_found", "_labels", "_log")

    def __init__(self, log: Findable, labels: Labels) -> None:
        self._log = log
        self._labels = labels
        self._found: dict[int, int] = {}

    def label(self, number: int) -> bytes:
        """The label of this number."""
        return self._labels(number)

    def index(self, number: int) -> int | None:
        """Index of the first entry with the label of this number; None where there is none or no such number."""
        if number in self._found:
            return self._found[number]
        found = self._log.find(self._labels(number)) if 0 <= number < NUMBER_LIMIT else None
        if found is not None:
            self._found[number] = found
        return found

    def index_below(self, number: int, limit: int) -> int | None:
        """The same, where that entry lies below index `limit`."""
        index = self.index(number)
        return index if index is not None and index < limit else None

    def newest(self, size: int) -> int | None:
        """The newest number in the log's first `size` entries; the protocol's pseudocode, which is normative.

        Whoever numbers without gaps has its last number found; for others this is merely the same for everybody.
        """
        if self.index_below(0, size) is None:
            return None
        low, high = 0, 1
        while self.index_below(high, size) is not None:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            if self.index_below(middle, size) is None:
                high = middle
            else:
                low = middle
        return low


@dataclass(frozen=True, slots=True)
class QueryKeys:
    """What finds one borrower's positions and inquiries: handed to custodians in a query, stored nowhere."""

    query_key: bytes = field(repr=False)
    _label_key: bytes = field(init=False, repr=False, compare=False)
    _inquiry_key: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises InvalidInput unless the query key is 32 bytes."""
        if len(self.query_key) != KEY_SIZE:
            raise InvalidInput("BAD_LENGTH", f"a query key is {KEY_SIZE} bytes", "query_key")
        object.__setattr__(self, "_label_key", derive(self.query_key, "plimsoll/v1/label-key"))
        object.__setattr__(self, "_inquiry_key", derive(self.query_key, "plimsoll/v1/inquiry-key"))

    @property
    def label_key(self) -> bytes:
        """Of all positions' labels: its holder finds those of this borrower, and no inquiries."""
        return self._label_key

    def positions(self, member: str) -> Labels:
        """The labels of this member's positions."""
        return Labels(self._label_key, POSITION, member)

    def inquiries(self, member: str) -> Labels:
        """The labels of this member's inquiries."""
        return Labels(self._inquiry_key, INQUIRY, member)


@dataclass(frozen=True, slots=True)
class BorrowerKeys:
    """All keys of one borrower, derived once from its pseudonym key K_b, which the lender keeps in its book."""

    query: QueryKeys = field(repr=False)
    dispute_key: bytes = field(repr=False)

    @classmethod
    def from_pseudonym_key(cls, pseudonym_key: bytes) -> BorrowerKeys:
        """From the 64 bytes of K_b. Raises InvalidInput for another length."""
        if len(pseudonym_key) != OUTPUT_SIZE:
            raise InvalidInput("BAD_LENGTH", f"a pseudonym key is {OUTPUT_SIZE} bytes", "pseudonym_key")
        query_key = derive(pseudonym_key, "plimsoll/v1/query-key")
        return cls(QueryKeys(query_key), derive(pseudonym_key, "plimsoll/v1/dispute-key"))
