"""One loan as the lender's own system last reported it, and the digest of the loans behind a position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from plimsoll.v1 import sealed_pb2

from ledger.crypto.hashing import Part, digest
from ledger.errors import InvalidInput
from ledger.positions.classification import Classification

RECORDS_DOMAIN = "plimsoll/v1/loan-records"
SALT_SIZE = 32
MAX_AMOUNT = 1 << 40  # minor units, inclusive (design, section 6)
MAX_DAYS_PAST_DUE = 100_000
MAX_AS_OF = 2_932_896  # 9999-12-31
MAX_TEXT = 64  # characters


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan's state on one day. Only `check` and `from_proto` turn outside figures into one.

    loan_id: the lender's number of the loan, unique for its borrower. Amounts: minor units, 0 .. 2^40.
    as_of: the day this state speaks of, in days since 1970-01-01.
    """

    loan_id: str
    product: str = field(repr=False)
    credit_limit: int = field(repr=False)
    outstanding: int = field(repr=False)
    monthly_due: int = field(repr=False)
    overdue: int = field(repr=False)
    days_past_due: int = field(repr=False)
    classification: Classification = field(repr=False)
    open: bool
    as_of: int

    @classmethod
    def from_proto(cls, message: sealed_pb2.Loan) -> Loan:
        """Raises InvalidInput with the path of the field that no loan can have."""
        if message.classification >= len(Classification):
            raise InvalidInput("UNKNOWN_CLASS", f"must be below {len(Classification)}", "classification")
        return check(
            cls(
                message.loan_id,
                message.product,
                message.credit_limit,
                message.outstanding,
                message.monthly_due,
                message.overdue,
                message.days_past_due,
                Classification(message.classification),
                message.open,
                message.as_of,
            )
        )

    def to_proto(self) -> sealed_pb2.Loan:
        return sealed_pb2.Loan(
            loan_id=self.loan_id,
            product=self.product,
            credit_limit=self.credit_limit,
            outstanding=self.outstanding,
            monthly_due=self.monthly_due,
            overdue=self.overdue,
            days_past_due=self.days_past_due,
            classification=self.classification,
            open=self.open,
            as_of=self.as_of,
        )


def check(loan: Loan) -> Loan:
    """The loan itself. Raises InvalidInput with the field's path."""
    check_text(loan.loan_id, 1, "loan_id")
    check_text(loan.product, 0, "product")
    check_range(loan.credit_limit, MAX_AMOUNT, "credit_limit")
    check_range(loan.outstanding, MAX_AMOUNT, "outstanding")
    check_range(loan.monthly_due, MAX_AMOUNT, "monthly_due")
    check_range(loan.overdue, MAX_AMOUNT, "overdue")
    check_range(loan.days_past_due, MAX_DAYS_PAST_DUE, "days_past_due")
    check_range(loan.as_of, MAX_AS_OF, "as_of")
    return loan


def check_range(value: int, maximum: int, path: str) -> int:
    """The value itself, if 0 .. maximum. Raises InvalidInput, which does not repeat it."""
    if not 0 <= value <= maximum:
        raise InvalidInput("OUT_OF_RANGE", f"must be 0 to {maximum}", path)
    return value


def check_text(text: str, minimum: int, path: str) -> str:
    """The text itself, if `minimum` .. 64 printable characters without blanks around. Raises InvalidInput."""
    if not minimum <= len(text) <= MAX_TEXT:
        raise InvalidInput("BAD_TEXT", f"must have {minimum} to {MAX_TEXT} characters", path)
    if not text.isprintable() or text != text.strip():
        raise InvalidInput("BAD_TEXT", "has unprintable characters or blanks around it", path)
    return text


by_loan_id = attrgetter("loan_id")


def records_digest(salt: bytes, loans: Iterable[Loan]) -> bytes:
    """32 bytes by which a position is bound to the loans folded into it (docs/protocol.md, section 7).

    Their order does not matter. Raises InvalidInput for a salt that is not 32 bytes.
    """
    if len(salt) != SALT_SIZE:
        raise InvalidInput("BAD_LENGTH", f"must be {SALT_SIZE} bytes", "salt")
    records = sorted(loans, key=by_loan_id)
    return digest(RECORDS_DOMAIN, salt, len(records), *(part for loan in records for part in _record(loan)))


def _record(loan: Loan) -> tuple[Part, ...]:
    return (
        loan.loan_id,
        loan.product,
        loan.credit_limit,
        loan.outstanding,
        loan.monthly_due,
        loan.overdue,
        loan.days_past_due,
        int(loan.classification),
        int(loan.open),
        loan.as_of,
    )
