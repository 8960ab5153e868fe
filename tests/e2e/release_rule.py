"""The release rule once more (docs/protocol.md, section 10), written from its words for min_contributors = 2.

Nothing of ledger is used: exact elimination over the rationals, every row kept, nothing remembered between questions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction

MIN_CONTRIBUTORS = 2


class ReleaseRule:
    """What one querier may be told about one borrower, asked again and again within 90 days."""

    def __init__(self, members: Sequence[str], querier: str) -> None:
        self._members = [member for member in members if member != querier]
        self._released: list[list[Fraction]] = []

    def verdict(self, contributors: Collection[str]) -> str:
        """Empty if this answer's amounts are released, which later verdicts then go by; else why not."""
        row = [Fraction(member in contributors) for member in self._members]
        if sum(row) < MIN_CONTRIBUTORS:
            return "FEW_CONTRIBUTORS"
        rows = [*self._released, row]
        for place in range(len(self._members)):
            unit = [Fraction(place == other) for other in range(len(self._members))]
            if _rank([*rows, unit]) == _rank(rows):
                return "DIFFERENCING"
        self._released = rows
        return ""


def _rank(rows: Sequence[Sequence[Fraction]]) -> int:
    left = [list(row) for row in rows]
    rank = 0
    for column in range(len(left[0]) if left else 0):
        pivot = next((number for number in range(rank, len(left)) if left[number][column]), None)
        if pivot is None:
            continue
        left[rank], left[pivot] = left[pivot], left[rank]
        for number in range(len(left)):
            if number != rank and left[number][column]:
                factor = left[number][column] / left[rank][column]
                left[number] = [a - factor * b for a, b in zip(left[number], left[rank], strict=True)]
        rank += 1
    return rank
