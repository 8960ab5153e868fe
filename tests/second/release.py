"""The release rule on rows (protocol section 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

DAY = 86_400
VOID, QUOTA, FEW, DIFFERENCING = "VOID", "QUOTA", "FEW_CONTRIBUTORS", "DIFFERENCING"
FROZEN, CONFLICTING = "FROZEN", "CONFLICTING_WITNESSES"
WITHHELD = ("", FEW, DIFFERENCING, FROZEN, CONFLICTING)


@dataclass(frozen=True)
class Asked:
    """One inquiry of a borrower by a member; `row` is None where it is void."""

    time: int
    row: frozenset[str] | None


@dataclass(frozen=True)
class Rule:
    min_contributors: int
    differencing_days: int
    queries_per_borrower: int

    def beyond_quota(self, asked: Sequence[Asked], number: int) -> bool:
        since = asked[number].time - DAY
        counted = [a for a in asked[: number + 1] if a.row is not None and a.time > since]
        return len(counted) > self.queries_per_borrower

    def outcomes(self, asked: Sequence[Asked]) -> list[str]:
        """For each: "" where released, VOID or QUOTA where it has no row, else why its amounts are withheld."""
        outcomes: list[str] = []
        for number in range(len(asked)):
            outcomes.append(self._outcome(asked, number, outcomes))
        return outcomes

    def _outcome(self, asked: Sequence[Asked], number: int, earlier: Sequence[str]) -> str:
        this = asked[number]
        if this.row is None:
            return VOID
        if self.beyond_quota(asked, number):
            return QUOTA
        since = this.time - DAY * self.differencing_days
        rows = [a.row for a, code in zip(asked, earlier, strict=False) if not code and a.row and a.time > since]
        return self.verdict(rows, this.row)

    def verdict(self, released: Sequence[frozenset[str]], row: frozenset[str]) -> str:
        """`released`: the rows in the window."""
        if len(row) < self.min_contributors:
            return FEW
        return DIFFERENCING if isolates([*released, row], self.min_contributors - 1) else ""


def isolates(rows: Sequence[frozenset[str]], most: int) -> bool:
    """Whether a non-zero vector of the rows' span lives on `most` members: then those columns carry rank."""
    columns = sorted(set().union(*rows))
    full = rank(rows, columns)
    for few in combinations(columns, min(most, len(columns))):
        if rank(rows, [c for c in columns if c not in few]) < full:
            return True
    return False


def rank(rows: Sequence[frozenset[str]], columns: Sequence[str]) -> int:
    """Over the rationals."""
    matrix = [[Fraction(column in row) for column in columns] for row in rows]
    found = 0
    for column in range(len(columns)):
        pivot = next((r for r in range(found, len(matrix)) if matrix[r][column]), None)
        if pivot is None:
            continue
        matrix[found], matrix[pivot] = matrix[pivot], matrix[found]
        lead = matrix[found]
        for r in range(found + 1, len(matrix)):
            factor = matrix[r][column] / lead[column]
            if factor:
                matrix[r] = [a - factor * b for a, b in zip(matrix[r], lead, strict=True)]
        found += 1
    return found
