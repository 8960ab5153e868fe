"""Whether a feed may be an accident: what it would change in the book, held against bounds that the lender has set.

A day's maintenance that zeroes thousands of limits is told from a day's business by how many borrowers it touches. What
is beyond a bound is not refused, but waits for a second person (docs/operations.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.errors import InvalidInput
from ledger.positions.loan import Loan
from ledger.toml import read_toml

FORMAT = "plimsoll/feed-guard/v1"
MAX_BYTES = 1 << 14
MAX_FROM = 1 << 31


@dataclass(frozen=True, slots=True)
class Bounds:
    """from_borrowers: a feed that touches fewer is let pass. zeroed, closed, worse, better: percent of the book's
    borrowers that one feed may leave with a limit of 0 on an open loan, with a loan closed, in a worse and in a better
    class; above 100: any number. total: percent by which the outstanding of the borrowers in a feed may rise or fall,
    where they are at least `total_from` percent of the book's. rows: percent of the last feed's rows that a feed must
    have at least; 0: any number.
    """

    from_borrowers: int = 100
    zeroed: int = 2
    closed: int = 10
    worse: int = 10
    better: int = 20
    total: int = 30
    total_from: int = 20
    rows: int = 0


_PERCENTS = ("zeroed", "closed", "worse", "better", "total", "total_from", "rows")


def parse_bounds(raw: bytes) -> Bounds:
    """Reads a guard's file; what is left out is as in the default. Raises InvalidInput."""
    if len(raw) > MAX_BYTES:
        raise InvalidInput("TOO_LARGE", f"at most {MAX_BYTES} bytes")
    try:
        table = read_toml(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidInput("BAD_TOML", "not UTF-8") from None
    if table.text("format") != FORMAT:
        raise InvalidInput("BAD_FORMAT", f"must be {FORMAT}", "format")
    default = Bounds()
    values = {key: table.integer(key, 0, 10_000, getattr(default, key)) for key in _PERCENTS}
    bounds = Bounds(from_borrowers=table.integer("from_borrowers", 1, MAX_FROM, default.from_borrowers), **values)
    table.finish()
    return bounds


@dataclass(slots=True)
class Difference:
    """What a feed would change, borrower by borrower.

    borrowers: in the feed. changed: of these, any difference. opened, closed: loans. zeroed: borrowers with an open
    loan whose limit falls to 0; closing: with a loan that is closed; worse, better: whose worst class changes. before,
    after: outstanding of open loans of borrowers that are in the book, minor units.
    """

    rows: int = 0
    borrowers: int = 0
    changed: int = 0
    opened: int = 0
    closed: int = 0
    zeroed: int = 0
    closing: int = 0
    worse: int = 0
    better: int = 0
    before: int = field(default=0, repr=False)
    after: int = field(default=0, repr=False)

    def add(self, held: Sequence[Loan], loans: Sequence[Loan], rows: int) -> None:
        """One borrower: what the book holds, what it would hold, and in how many rows that is said."""
        known = {loan.loan_id: loan for loan in held if loan.open}
        now = {loan.loan_id: loan for loan in loans if loan.open}
        ended = known.keys() - now.keys()
        self.rows += rows
        self.borrowers += 1
        self.changed += known != now
        self.opened += len(now.keys() - known.keys())
        self.closed += len(ended)
        self.closing += bool(ended)
        self.zeroed += any(
            known[each].credit_limit and not now[each].credit_limit for each in known.keys() & now.keys()
        )
        if known and now:
            was, becomes = (max(loan.classification for loan in some.values()) for some in (known, now))
            self.worse += becomes > was
            self.better += becomes < was
        self.before += sum(loan.outstanding for loan in known.values())
        if held:  # a new borrower is no accident: a feed that a crash cut short is sent again, half of it new
            self.after += sum(loan.outstanding for loan in now.values())


@dataclass(frozen=True, slots=True)
class Breach:
    """A bound that a feed does not keep. figure: what was found; limit: what is allowed, in the same unit."""

    code: str
    figure: int
    limit: int


def breaches(difference: Difference, bounds: Bounds, borrowers: int, last_rows: int) -> tuple[Breach, ...]:
    """All of them; none for a small feed. borrowers: in the book. last_rows: of the feed before, 0 if there was none.

    Codes: ZEROED_LIMITS, CLOSED_LOANS, WORSE_CLASSES, BETTER_CLASSES (borrowers), TOTAL_ROSE, TOTAL_FELL (percent),
    FEW_ROWS (rows).
    """
    found = []
    least_rows = bounds.rows * last_rows // 100
    if last_rows >= bounds.from_borrowers and difference.rows < least_rows:
        found.append(Breach("FEW_ROWS", difference.rows, least_rows))
    if difference.borrowers < bounds.from_borrowers:
        return tuple(found)
    for code, figure, percent in (
        ("ZEROED_LIMITS", difference.zeroed, bounds.zeroed),
        ("CLOSED_LOANS", difference.closing, bounds.closed),
        ("WORSE_CLASSES", difference.worse, bounds.worse),
        ("BETTER_CLASSES", difference.better, bounds.better),
    ):
        limit = max(bounds.from_borrowers - 1, percent * borrowers // 100)
        if figure > limit:
            found.append(Breach(code, figure, limit))
    if difference.before and difference.borrowers * 100 >= bounds.total_from * borrowers:
        change = difference.after - difference.before
        if abs(change) * 100 > bounds.total * difference.before:
            percent = -(-abs(change) * 100 // difference.before)
            found.append(Breach("TOTAL_ROSE" if change > 0 else "TOTAL_FELL", percent, bounds.total))
    return tuple(found)
