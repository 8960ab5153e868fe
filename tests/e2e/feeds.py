"""Feeds for tests with real nodes: single rows, files as a lender has them, and what they add up to."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plimsoll.v1 import lender_pb2

from client.feeding import Feeding
from ledger.positions.feed import NUMBERS
from tests.cluster import Cluster

MINOR = 100
CLASSES = ("pass", "special-mention", "substandard", "doubtful", "loss")
#: Upper edges of the default policy, in major units; the last band has none.
BANDS = (10_000, 50_000, 100_000, 200_000, 500_000)
OVERDUE_BANDS = (1_000, 10_000, 50_000, 200_000)
AMOUNTS = ("credit_limit", "outstanding", "monthly_due")


def row(borrower: str, outstanding: int = 500_000, **changes: Any) -> lender_pb2.FeedRow:
    """One good row, of a loan with so many minor units outstanding."""
    facts: dict[str, Any] = {
        "line": 2,
        "borrower": borrower,
        "loan_id": "L1",
        "product": "card",
        "currency": "CNY",
        "outstanding": outstanding,
        "overdue": 0,
        "days_past_due": 0,
        "classification": "pass",
        "status": "open",
        "as_of": "2025-06-30",
        **changes,
    }
    facts = {"credit_limit": 2 * facts["outstanding"], "monthly_due": facts["outstanding"] // 10, **facts}
    return lender_pb2.FeedRow(**facts)


def send_file(cluster: Cluster, member: str, path: Path) -> lender_pb2.ReportSummary:
    """A feed as `plimsoll report` sends it; its summary."""
    with path.open("rb") as stream:
        feeding = Feeding(stream, strict=False)
        for _ in feeding.send(cluster.lender(member)):
            pass
    return feeding.summary


def read_csv(path: Path) -> list[dict[str, str]]:
    """The records of a file, by column."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def rows_of(records: Iterable[Mapping[str, str]]) -> list[lender_pb2.FeedRow]:
    """Records of a CSV file as rows of a feed."""
    return [
        lender_pb2.FeedRow(
            line=line,
            **{name: int(value) if name in NUMBERS else value for name, value in record.items()},  # type: ignore[arg-type]
        )
        for line, record in enumerate(records, 2)
    ]


@dataclass
class Claim:
    """What one lender has out to one borrower, over all its loans, minor units."""

    credit_limit: int = 0
    outstanding: int = 0
    monthly_due: int = 0
    overdue: int = 0
    accounts: int = 0
    worst: int = 0

    def add(self, record: Mapping[str, str]) -> None:
        """One open loan more."""
        for name in (*AMOUNTS, "overdue"):
            setattr(self, name, getattr(self, name) + int(record[name]))
        self.accounts += 1
        self.worst = max(self.worst, CLASSES.index(record["classification"]))


@dataclass
class Expected:
    """What a query must say about one borrower; worked out from the lenders' files, not from the product."""

    claims: dict[str, Claim] = field(default_factory=dict)

    @property
    def lenders(self) -> int:
        return len(self.claims)

    @property
    def accounts(self) -> int:
        return sum(claim.accounts for claim in self.claims.values())

    @property
    def amounts(self) -> dict[str, int]:
        return {name: sum(getattr(claim, name) for claim in self.claims.values()) for name in AMOUNTS}

    @property
    def classes(self) -> list[int]:
        return [sum(claim.worst == place for claim in self.claims.values()) for place in range(len(CLASSES))]

    @property
    def bands(self) -> list[int]:
        return _histogram(BANDS, [claim.outstanding for claim in self.claims.values()])

    @property
    def overdue_bands(self) -> list[int]:
        return _histogram(OVERDUE_BANDS, [claim.overdue for claim in self.claims.values() if claim.overdue])


def _histogram(edges: Iterable[int], amounts: Iterable[int]) -> list[int]:
    upper = [edge * MINOR for edge in edges]
    counts = [0] * (len(upper) + 1)
    for amount in amounts:
        counts[sum(amount >= edge for edge in upper)] += 1
    return counts


def expected_of(records: Mapping[str, Iterable[Mapping[str, str]]]) -> dict[str, Expected]:
    """By borrower. records: by lender, one per open loan."""
    book: dict[str, Expected] = {}
    for lender, own in records.items():
        for record in own:
            book.setdefault(record["borrower"], Expected()).claims.setdefault(lender, Claim()).add(record)
    return book


def told(answer: lender_pb2.ExposureResponse) -> dict[str, object]:
    """What every answer says, amounts withheld or not, in the terms of `Expected`."""
    return {
        "accounts": answer.accounts,
        "lenders": answer.lenders,
        "classes": [one.lenders for one in answer.classes],
        "bands": [one.lenders for one in answer.bands],
        "overdue_bands": [one.lenders for one in answer.overdue_bands],
    }


def to_be_told(expected: Expected) -> dict[str, object]:
    """The same, as it should be."""
    return {name: getattr(expected, name) for name in ("accounts", "lenders", "classes", "bands", "overdue_bands")}
