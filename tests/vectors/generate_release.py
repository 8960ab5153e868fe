"""Writes release.json: what the release rule says about one inquiry after the other (protocol section 10).

    python -m tests.vectors.generate_release

Made from the protocol's text by trying every set of members, with fractions, without the ledger's code. The same run
gives the same bytes. A row names members by number; null is an entry that is void.
"""

from __future__ import annotations

import json
import random
from fractions import Fraction
from itertools import combinations
from pathlib import Path

FOLDER = Path(__file__).parent
DAY = 86_400
Row = list[int] | None


def rank(matrix: list[list[int]]) -> int:
    rows = [[Fraction(value) for value in row] for row in matrix]
    found = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if pivot is not None:
            rows[found], rows[pivot] = rows[pivot], rows[found]
            for i in set(range(len(rows))) - {found}:
                factor = rows[i][column] / rows[found][column]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[found], strict=True)]
            found += 1
    return found


def isolates(rows: list[list[int]], limit: int, members: int) -> bool:
    """A vector of the span lies within a set S exactly if dropping the members of S lowers the rank."""
    matrix = [[int(member in row) for member in range(members)] for row in rows]
    return any(
        rank([[row[member] for member in range(members) if member not in support] for row in matrix]) < rank(matrix)
        for support in combinations(range(members), limit)
    )


def verdicts(inquiries: list[tuple[int, Row]], least: int, days: int, per_day: int, members: int) -> list[str]:
    found: list[str] = []
    for place, (time, row) in enumerate(inquiries):
        if row is None:
            found.append("VOID")
            continue
        before = [one for one in enumerate(inquiries[:place]) if one[1][1] is not None]
        recent = sum(earlier > time - DAY for _, (earlier, _) in before)
        rows = [one for k, (earlier, one) in before if found[k] == "" and earlier > time - DAY * days]
        if recent + 1 > per_day:
            found.append("QUOTA")
        elif len(row) < least:
            found.append("FEW_CONTRIBUTORS")
        else:
            found.append("DIFFERENCING" if isolates([*rows, row], least - 1, members) else "")  # type: ignore[list-item]
    return found


def case(
    why: str, inquiries: list[tuple[int, Row]], least: int = 2, days: int = 90, per_day: int = 100, members: int = 5
) -> dict[str, object]:
    return {
        "why": why,
        "members": members,
        "min_contributors": least,
        "differencing_days": days,
        "queries_per_borrower": per_day,
        "inquiries": [
            {"time": time, "row": row, "withheld": withheld}
            for (time, row), withheld in zip(inquiries, verdicts(inquiries, least, days, per_day, members), strict=True)
        ],
    }


def at(*rows: Row, days: float = 1) -> list[tuple[int, Row]]:
    """One inquiry every so many days."""
    return [(1_760_000_000 + int(place * days * DAY), row) for place, row in enumerate(rows)]


def drawn(seed: int) -> dict[str, object]:
    rng = random.Random(seed)
    members = rng.randint(3, 6)
    inquiries: list[tuple[int, Row]] = []
    time = 1_760_000_000
    for _ in range(rng.randint(3, 10)):
        time += rng.choice([60, DAY // 2, 20 * DAY, -5 * DAY])
        row = sorted(rng.sample(range(members), rng.randint(0, members)))
        inquiries.append((time, None if rng.random() < 0.1 else row))
    return case(f"drawn, seed {seed}", inquiries, rng.randint(2, 3), rng.choice([30, 90]), rng.choice([2, 3]), members)


CASES = [
    case("one inquiry", at([0, 1])),
    case("nobody, one, two contribute", at([], [0], [0, 1])),
    case("before and after a lender joins", at([0, 1], [0, 1, 2])),
    case("before and after a lender leaves", at([0, 1, 2], [0, 1])),
    case("two lenders join at once", at([0, 1], [0, 1, 2, 3])),
    case("pairs in a triangle", at([0, 1], [1, 2], [0, 2])),
    case("a withheld answer does not count later", at([0, 1], [0, 1, 2], [1, 2, 3], [0, 1, 2])),
    case("four in a ring, then a chord", at([0, 1], [1, 2], [2, 3], [0, 3], [0, 2])),
    case("a combination with larger coefficients", at([0, 1, 2], [0, 3], [1, 3], [2, 3])),
    case("the window ends", at([0, 1], [0, 1, 2], [0, 1, 2], days=90)),
    case("a second before it ends", [(0, [0, 1]), (90 * DAY - 1, [0, 1, 2]), (90 * DAY, [0, 1, 2])]),
    case("three are needed: two could collude", at([0, 1], [0, 1, 2], [0, 1, 2, 3, 4], [0, 1, 2, 3]), least=3),
    case("three are needed: two strike out their own", at([0, 1, 2, 3], [0, 1, 4, 5]), least=3, members=6),
    case("three are needed: three join", at([0, 1, 2], [0, 1, 2, 3, 4, 5]), least=3, members=6),
    case("the same again", at([0, 1], [0, 1], [0, 1])),
    case("void entries count for nothing", at(None, [0, 1], None, [0, 1, 2])),
    case("the quota of a day", [(0, [0, 1]), (10, [0, 1]), (20, [0, 1]), (DAY, [0, 1])], per_day=2),
    case("beyond the quota no row counts", [(0, [0, 1]), (10, [0, 1, 2]), (2 * DAY, [0, 1, 2])], per_day=1),
    case("times that go back", [(200 * DAY, [0, 1]), (0, [0, 1, 2]), (201 * DAY, [1, 2, 3])]),
    *(drawn(seed) for seed in range(30)),
]


def vectors() -> dict[str, object]:
    return {"cases": CASES}


if __name__ == "__main__":
    (FOLDER / "release.json").write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
