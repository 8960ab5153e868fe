"""A feed's rows, each the state of one loan, read into loans or refused (design, section 8).

Nothing about a row is repaired but the spelling of its identity: a figure that might mean two things is refused with
line, column and reason, and the other rows go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from plimsoll.v1 import lender_pb2

from ledger.borrower.identity import canonical
from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.classification import Classification
from ledger.positions.loan import Loan, check

COLUMNS = (
    "borrower",
    "loan_id",
    "product",
    "currency",
    "credit_limit",
    "outstanding",
    "monthly_due",
    "overdue",
    "days_past_due",
    "classification",
    "status",
    "as_of",
)
NUMBERS = ("credit_limit", "outstanding", "monthly_due", "overdue", "days_past_due")
MAX_BATCH_ROWS = 4_096
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH = date(1970, 1, 1).toordinal()
_DAYS_AHEAD = 1  # an as_of may lie a day ahead: it is tomorrow elsewhere (design, section 6, Labels)


@dataclass(frozen=True, slots=True)
class FeedLoan:
    """A row that was understood. borrower: canonical identity."""

    line: int
    borrower: str = field(repr=False)
    loan: Loan


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken: its line, the column or "", a stable code, and one line for people."""

    line: int
    path: str
    reason: str
    message: str

    @classmethod
    def because(cls, line: int, error: PlimsollError) -> Rejected:
        return cls(line, error.path, error.reason, error.message)

    def to_proto(self) -> lender_pb2.Rejection:
        return lender_pb2.Rejection(line=self.line, path=self.path, reason=self.reason, message=self.message)


class FeedReader:
    """Reads the rows of one feed, in any batches, and remembers on which line each loan stood.

    currency: the consortium's, ISO 4217. today: days since 1970-01-01. Only rows that were understood are remembered,
    so a bad row does not stand in the way of its repetition put right.
    """

    def __init__(self, currency: str, today: int) -> None:
        self._currency = currency
        self._latest = today + _DAYS_AHEAD
        self._lines: dict[tuple[str, str], int] = {}

    def read(self, rows: Iterable[lender_pb2.FeedRow]) -> tuple[list[FeedLoan], list[Rejected]]:
        """The next rows of the feed: those understood and those not, each in order."""
        taken, rejected = [], []
        for row in rows:
            try:
                taken.append(self._take(row))
            except PlimsollError as error:
                rejected.append(Rejected.because(row.line, error))
        return taken, rejected

    def _take(self, row: lender_pb2.FeedRow) -> FeedLoan:
        understood = read_row(row, self._currency, self._latest)
        key = (understood.borrower, understood.loan.loan_id)
        if key in self._lines:
            raise InvalidInput("DUPLICATE_LOAN", f"this loan already stands on line {self._lines[key]}", "loan_id")
        self._lines[key] = row.line
        return understood


def read_row(row: lender_pb2.FeedRow, currency: str, latest: int) -> FeedLoan:
    """One row, whose as_of is at most `latest` (days since 1970-01-01). Raises InvalidInput; its path is the column."""
    borrower = canonical(row.borrower)
    if row.currency != currency:
        raise InvalidInput("OTHER_CURRENCY", f"the consortium's currency is {currency}", "currency")
    loan = Loan(
        row.loan_id,
        row.product,
        row.credit_limit,
        row.outstanding,
        row.monthly_due,
        row.overdue,
        row.days_past_due,
        Classification.parse(row.classification),
        _parse_status(row.status),
        parse_date(row.as_of),
    )
    if loan.as_of > latest:
        raise InvalidInput("FUTURE_DATE", "lies more than a day ahead", "as_of")
    return FeedLoan(row.line, borrower, check(loan))


def parse_date(text: str, path: str = "as_of") -> int:
    """Days since 1970-01-01 of an ISO 8601 date, written YYYY-MM-DD. Raises InvalidInput."""
    if _DATE.fullmatch(text) is None:
        raise InvalidInput("BAD_DATE", "must be a date written YYYY-MM-DD", path)
    try:
        days = date.fromisoformat(text).toordinal() - _EPOCH
    except ValueError:
        raise InvalidInput("BAD_DATE", "there is no such day", path) from None
    if days < 0:
        raise InvalidInput("BAD_DATE", "lies before 1970-01-01", path)
    return days


def _parse_status(text: str) -> bool:
    if text not in ("open", "closed"):
        raise InvalidInput("UNKNOWN_STATUS", "must be open or closed", "status")
    return text == "open"
