"""What several sums give away together: exact linear algebra over the rationals (protocol, section 10, rule b).

Each released answer is a row over the members, 1 for those summed. Whoever holds all the answers holds every linear
combination of them, so a combination in which only few members remain speaks of those few.

A vector lies in the span of the rows exactly if it is orthogonal to their kernel. So a combination supported within a
set of members exists exactly if the kernel's rows at those members are linearly dependent. Members that no row tells
apart have equal coefficients in every combination, so they are treated as one column with a weight. Everything is in
integers: rows are only ever scaled, and divided by their greatest common divisor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import gcd

Row = int
"""A set of members: bit i stands for member i of the manifest."""

_Vector = tuple[int, ...]


def isolates(rows: Iterable[Row], limit: int) -> bool:
    """Whether some non-zero combination of the rows has its support within `limit` members.

    rows: the released answers. Polynomial for a fixed limit: with c columns that the rows tell apart, about
    c^(limit - 1) steps, and c is at most one more than the number of changes the rows went through.
    """
    distinct = sorted(set(rows) - {0})
    columns = _columns(distinct)
    if not columns or limit < 1:
        return False
    kernel = _kernel([[column >> place & 1 for column, _ in columns] for place in range(len(distinct))], len(columns))
    return _dependent([(weight, vector) for (_, weight), vector in zip(columns, kernel, strict=True)], limit)


def _columns(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """(pattern, members that have it): bit k of a pattern says whether row k holds those members."""
    width = max((row.bit_length() for row in rows), default=0)
    patterns = (sum((row >> member & 1) << place for place, row in enumerate(rows)) for member in range(width))
    return [(pattern, count) for pattern, count in Counter(patterns).items() if pattern]


def _kernel(matrix: list[list[int]], width: int) -> list[_Vector]:
    """A basis of the vectors orthogonal to all rows, as columns: element i has every basis vector's entry i."""
    reduced = _reduced(matrix, width)
    free = [column for column in range(width) if column not in reduced]
    kernel = []
    for column in range(width):
        if column in reduced:
            row = reduced[column]
            # Basis vector f has 1 at free column f and -row[f] / row[column] here; scaling element i of all of them
            # changes no dependence among the elements.
            kernel.append(tuple(-row[f] for f in free))
        else:
            kernel.append(tuple(int(f == column) for f in free))
    return kernel


def _reduced(matrix: list[list[int]], width: int) -> dict[int, list[int]]:
    """The reduced row echelon form, up to a factor per row, by pivot column."""
    reduced: dict[int, list[int]] = {}
    for raw in matrix:
        row = raw
        for pivot, other in reduced.items():
            row = _eliminated(row, other, pivot)
        pivot = next((column for column in range(width) if row[column]), width)
        if pivot == width:
            continue
        for known, other in reduced.items():
            reduced[known] = _eliminated(other, row, pivot)
        reduced[pivot] = row
    return reduced


def _eliminated(row: Sequence[int], by: Sequence[int], pivot: int) -> list[int]:
    """A multiple of row minus a multiple of `by`, with nothing left at the pivot."""
    here, there = row[pivot], by[pivot]
    if not here:
        return list(row)
    return _shortened([there * a - here * b for a, b in zip(row, by, strict=True)])


def _shortened(vector: list[int]) -> list[int]:
    common = gcd(*vector)
    return [value // common for value in vector] if common > 1 else vector


def _dependent(vectors: Sequence[tuple[int, Sequence[int]]], limit: int) -> bool:
    """Whether some of these (weight, vector) are linearly dependent and together weigh at most `limit`."""
    usable = [(weight, vector) for weight, vector in vectors if weight <= limit]
    if any(not any(vector) for _, vector in usable):
        return True
    lightest: dict[_Vector, int] = {}
    for weight, vector in usable:
        direction = _direction(vector)
        if lightest.get(direction, limit) + weight <= limit:
            return True
        lightest[direction] = min(weight, lightest.get(direction, weight))
    # No single one and no two: three or more, of which this is the first.
    for place, (weight, vector) in enumerate(usable):
        if limit - weight < 2:
            continue
        pivot = next(column for column, value in enumerate(vector) if value)
        rest = [(other, _eliminated(candidate, vector, pivot)) for other, candidate in usable[place + 1 :]]
        if _dependent(rest, limit - weight):
            return True
    return False


def _direction(vector: Sequence[int]) -> _Vector:
    """The same for all multiples of a non-zero vector."""
    shortened = _shortened(list(vector))
    first = next(value for value in shortened if value)
    return tuple(shortened) if first > 0 else tuple(-value for value in shortened)
