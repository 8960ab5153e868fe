"""How a feed's loans change what the lender's book holds (design, sections 3 and 6).

Rules kept, so that the same feed applied twice changes nothing the second time:
- a row replaces the older state of its loan; of the same day, too: a correction;
- a row older than the state held is refused, so that a feed sent late does not undo a newer one;
- closed loans are remembered, so that such a row does not reopen one: the newest 64, or, for a borrower with more than
  256 open loans, the newest alone. The newest is always kept: the borrower's as_of never goes back;
- a borrower that would pass the limits of a position keeps what is held, and all its rows of this feed are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.feed import FeedLoan, Rejected
from ledger.positions.loan import Loan, by_loan_id
from ledger.positions.position import check_limits
from ledger.positions.sealed_copy import check_room

MAX_CLOSED = 64
MANY_OPEN = 256


@dataclass(frozen=True, slots=True)
class Folded:
    """One borrower after a feed.

    loans: all now held, ascending by loan_id. changed: whether that differs from what was held. accepted: rows taken,
    also those that said nothing new. rejected: rows not taken, ascending by line.
    """

    loans: tuple[Loan, ...] = field(repr=False)
    changed: bool
    accepted: int
    rejected: tuple[Rejected, ...]


def fold_feed(rows: Iterable[FeedLoan], held: Mapping[str, Sequence[Loan]]) -> dict[str, Folded]:
    """Every borrower of these rows by identity, in order of first appearance. `held` has the book's loans for those
    borrowers that are in it. The rows must be all that the feed has for these borrowers."""
    by_borrower: dict[str, list[FeedLoan]] = {}
    for row in rows:
        by_borrower.setdefault(row.borrower, []).append(row)
    return {borrower: fold_borrower(borrower, held.get(borrower, ()), own) for borrower, own in by_borrower.items()}


def fold_borrower(borrower: str, held: Sequence[Loan], rows: Sequence[FeedLoan]) -> Folded:
    """One borrower's rows of one feed, each of another loan, applied to the loans held. Never raises for bad rows."""
    before = {loan.loan_id: loan for loan in held}
    after = dict(before)
    rejected = []
    for row in rows:
        known = before.get(row.loan.loan_id)
        if known is not None and row.loan.as_of < known.as_of:
            rejected.append(Rejected.because(row.line, _stale(known)))
        else:
            after[row.loan.loan_id] = row.loan
    loans = _bound(after.values())
    try:
        check_limits(loans)
        check_room(borrower, loans)
    except PlimsollError as error:
        return Folded(tuple(held), False, 0, tuple(Rejected.because(row.line, error) for row in rows))
    return Folded(loans, loans != tuple(held), len(rows) - len(rejected), tuple(rejected))


def _stale(known: Loan) -> InvalidInput:
    state = "open" if known.open else "closed"
    return InvalidInput("STALE", f"a newer state of this loan ({state}) is already held", "as_of")


def _bound(loans: Iterable[Loan]) -> tuple[Loan, ...]:
    """All open loans and the newest closed ones, ascending by loan_id.

    How many closed ones stay depends on the open ones alone; otherwise a feed applied again could find room for others.
    """
    known = tuple(loans)
    running = [loan for loan in known if loan.open]
    closed = [loan for loan in known if not loan.open]
    room = MAX_CLOSED if len(running) <= MANY_OPEN else 1
    closed.sort(key=lambda loan: (loan.as_of, loan.loan_id), reverse=True)
    return tuple(sorted((*running, *closed[:room]), key=by_loan_id))
