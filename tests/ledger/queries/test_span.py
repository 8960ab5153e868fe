"""The rational linear algebra against brute force: every support tried, ranks by fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from ledger.queries.span import isolates

MEMBERS = 7


def rank(matrix: list[list[int]]) -> int:
    rows = [[Fraction(value) for value in row] for row in matrix]
    found = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for i in range(len(rows)):
            if i != found and rows[i][column]:
                factor = rows[i][column] / rows[found][column]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[found], strict=True)]
        found += 1
    return found


def isolates_by_trying(rows: list[int], limit: int, members: int = MEMBERS) -> bool:
    """Some vector of the span vanishes outside of S exactly if leaving S out lowers the rank."""
    matrix = [[row >> member & 1 for member in range(members)] for row in rows]
    whole = rank(matrix)
    for support in combinations(range(members), min(limit, members)):
        rest = [[row[member] for member in range(members) if member not in support] for row in matrix]
        if rank(rest) < whole:
            return True
    return False


rows_of_members = st.lists(st.integers(0, 2**MEMBERS - 1), max_size=6)


@given(rows_of_members, st.integers(1, 5))
def test_it_finds_what_trying_every_support_finds(rows, limit):
    assert isolates(rows, limit) == isolates_by_trying(rows, limit)


@given(st.integers(3, 40), st.data())
def test_large_sets_that_change_by_few_members(members, data):
    everybody = 2**members - 1
    gone = data.draw(st.sets(st.integers(0, members - 1), max_size=3))
    rows = [everybody, everybody & ~sum(1 << member for member in gone)]
    assert isolates(rows, 1) == (len(gone) in (1, members - 1))
    assert isolates(rows, 2) == (len(gone) in (1, 2) or members - len(gone) in (1, 2))


def test_before_and_after_a_lender_joins():
    assert isolates([0b011, 0b111], 1)
    assert isolates([0b00011, 0b01111], 2)
    assert not isolates([0b00011, 0b01111], 1)


def test_pairs_in_a_triangle_give_each_one_away():
    assert not isolates([0b011, 0b110], 1)
    assert isolates([0b011, 0b110, 0b101], 1)


def test_combinations_with_large_coefficients_are_found():
    # The sum of all pairs minus the sum of all triples and the like: no two rows differ in one member.
    rows = [0b000111, 0b011001, 0b101010, 0b110100, 0b111111 ^ 0b000001]
    assert isolates(rows, 1) == isolates_by_trying(rows, 1, 6)
    wheel = [0b0011, 0b0110, 0b1100, 0b1001]
    assert not isolates(wheel, 1)
    assert isolates([*wheel, 0b1010], 1)


def test_no_rows_give_nothing_away():
    assert not isolates([], 3)
    assert not isolates([0], 3)
    assert not isolates([0b1], 0)


def test_one_row_gives_away_as_many_as_it_holds():
    assert isolates([0b111], 3)
    assert not isolates([0b111], 2)


def test_the_order_and_repetition_of_rows_do_not_matter():
    assert isolates([0b111, 0b011, 0b111], 1) == isolates([0b011, 0b111], 1) is True
