"""What one lender has out to one borrower, folded from that lender's loans (design, section 6, Position)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from ledger.errors import InvalidInput
from ledger.positions.bands import Bands
from ledger.positions.digits import BAND_DIGITS, MAX_ACCOUNTS, OVERDUE_BAND_DIGITS, one_hot, tallies
from ledger.positions.loan import MAX_AMOUNT, Loan


@dataclass(frozen=True, slots=True)
class Position:
    """The plaintext of a Position entry.

    amounts: the seven plaintexts by field number; () where closed. as_of: days since 1970-01-01.
    closed: no open loan is left.
    """

    amounts: tuple[int, ...] = field(repr=False)
    as_of: int
    closed: bool

    def says_the_same_as(self, other: Position) -> bool:
        """Whether publishing the one after the other would tell anybody anything: as_of alone does not."""
        return self.closed == other.closed and self.amounts == other.amounts


def fold(loans: Collection[Loan], bands: Bands) -> Position:
    """The position that these loans, open and closed, add up to.

    as_of is the newest of all, so that it does not go back when the newest loan closes. Raises InvalidInput for no
    loan at all and where `check_limits` does.
    """
    if not loans:
        raise InvalidInput("NO_LOANS", "a position needs at least one loan", "loans")
    as_of = max(loan.as_of for loan in loans)
    running = [loan for loan in loans if loan.open]
    if not running:
        return Position((), as_of, closed=True)
    check_limits(running)
    outstanding = sum(loan.outstanding for loan in running)
    overdue = sum(loan.overdue for loan in running)
    worst = max(loan.classification for loan in running)
    amounts = (
        outstanding,
        sum(loan.monthly_due for loan in running),
        sum(loan.credit_limit for loan in running),
        *tallies(worst, len(running)),
        one_hot(bands.outstanding_band(outstanding), BAND_DIGITS),
        one_hot(bands.overdue_band(overdue), OVERDUE_BAND_DIGITS),
    )
    return Position(amounts, as_of, closed=False)


def check_limits(loans: Iterable[Loan]) -> None:
    """What one lender may have out to one borrower: 1,023 open loans, no sum above 2^40. Raises InvalidInput."""
    running = [loan for loan in loans if loan.open]
    if len(running) > MAX_ACCOUNTS:
        raise InvalidInput("TOO_MANY_ACCOUNTS", f"the borrower has more than {MAX_ACCOUNTS} open loans here", "loan_id")
    for name in ("credit_limit", "outstanding", "monthly_due", "overdue"):
        if sum(getattr(loan, name) for loan in running) > MAX_AMOUNT:
            raise InvalidInput("SUM_OUT_OF_RANGE", f"the borrower's open loans add up to more than {MAX_AMOUNT}", name)
