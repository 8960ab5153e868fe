"""What the lenders of the demo report, and what each of them sees alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from plimsoll.v1 import lender_pb2

from client.csvfeed import read_feed
from ledger.borrower.identity import canonical
from ledger.errors import InvalidInput, NotFound, PlimsollError

MIN_LENDERS, MAX_LENDERS = 3, 20
_OPEN = "open"


@dataclass(frozen=True, slots=True)
class Alone:
    """One lender's own claims on one borrower: open accounts, and sums in minor units."""

    member: str
    accounts: int
    outstanding: int
    monthly_due: int
    credit_limit: int


def feed_file(folder: Path, k: int) -> Path:
    """lender-<k>.csv."""
    return folder / f"lender-{k}.csv"


def find_feeds(folder: Path, lenders: int | None) -> list[Path]:
    """lender-1.csv .. of so many lenders, or of as many as there are. Raises NotFound, InvalidInput."""
    count = lenders
    if count is None:
        count = next(k for k in range(1, MAX_LENDERS + 2) if k > MAX_LENDERS or not feed_file(folder, k).exists()) - 1
    files = [feed_file(folder, k) for k in range(1, max(count, MIN_LENDERS) + 1)]
    for file in files:
        if not file.is_file():
            raise NotFound("NO_FEED", f"there is no feed {file}")
    return files


def currency_of(feed: Path) -> str:
    """Of its first row. Raises InvalidInput."""
    for row in _rows(feed):
        return row.currency
    raise InvalidInput("EMPTY_FEED", "the feed has no row", str(feed))


def most_shared(feeds: Sequence[Path]) -> str:
    """The borrower with open loans at the most lenders; of those, the one with the most outstanding. Raises
    InvalidInput where nobody has any."""
    lenders: dict[str, set[int]] = {}
    outstanding: dict[str, int] = {}
    for number, feed in enumerate(feeds):
        for row in _open_rows(feed):
            lenders.setdefault(row.borrower, set()).add(number)
            outstanding[row.borrower] = outstanding.get(row.borrower, 0) + row.outstanding
    for borrower in sorted(lenders, key=lambda each: (-len(lenders[each]), -outstanding[each])):
        try:
            return canonical(borrower)
        except PlimsollError:  # such rows the nodes refuse; the next best then
            continue
    raise InvalidInput("EMPTY_FEED", "no feed has an open loan", str(feeds[0].parent))


def alone(borrower: str, feeds: Sequence[Path]) -> list[Alone]:
    """What each lender, lender-1 first, reports of a borrower."""
    return [_alone(f"lender-{k}", borrower, _open_rows(feed)) for k, feed in enumerate(feeds, 1)]


def _alone(member: str, borrower: str, rows: Iterable[lender_pb2.FeedRow]) -> Alone:
    own = [row for row in rows if _is_of(row, borrower)]
    return Alone(
        member,
        len(own),
        sum(row.outstanding for row in own),
        sum(row.monthly_due for row in own),
        sum(row.credit_limit for row in own),
    )


def _is_of(row: lender_pb2.FeedRow, borrower: str) -> bool:
    if row.borrower == borrower:
        return True
    try:
        return canonical(row.borrower) == borrower
    except PlimsollError:
        return False


def _open_rows(feed: Path) -> Iterator[lender_pb2.FeedRow]:
    return (row for row in _rows(feed) if row.status == _OPEN)


def _rows(feed: Path) -> Iterator[lender_pb2.FeedRow]:
    with feed.open("rb") as file:
        for batch in read_feed(file):
            yield from batch.rows
