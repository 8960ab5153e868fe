"""Promises of the generated portfolio, and of feeds read from files on the whole way into positions."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from client.csvfeed import read_feed
from client.portfolio import TRUTH_COLUMNS, Portfolio, write_portfolio
from ledger.errors import InvalidInput
from ledger.positions.classification import CLASS_LABELS
from ledger.positions.digits import unpack, unpack_tally_low
from ledger.positions.feed import FeedReader, parse_date
from ledger.positions.feed_fold import fold_feed
from ledger.positions.fields import Field
from ledger.positions.loan import Loan
from ledger.positions.position import fold
from tests.ledger.loans import BANDS

DAY = date(2026, 3, 31)
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "make_feed.py"


def take(path: Path, currency: str, held: dict[str, tuple[Loan, ...]]) -> None:
    """Applies a feed file to what one lender holds; every row must be taken."""
    reader = FeedReader(currency, parse_date(DAY.isoformat()))
    with path.open("rb") as stream:
        for batch in read_feed(stream):
            taken, rejected = reader.read(batch.rows)
            assert not batch.rejected
            assert not rejected
            for borrower, folded in fold_feed(taken, held).items():
                assert not folded.rejected
                held[borrower] = folded.loans


def sums(books: list[dict[str, tuple[Loan, ...]]]) -> dict[str, dict[str, int]]:
    """What a query over all lenders finds for each borrower, as in truth.csv less overdue."""
    total: dict[str, Counter[str]] = {}
    for book in books:
        for borrower, loans in book.items():
            amounts = fold(loans, BANDS).amounts
            passing, accounts = unpack_tally_low(amounts[Field.TALLY_LOW])
            classes = (passing, *unpack(amounts[Field.TALLY_HIGH], 4))
            total.setdefault(borrower, Counter()).update(
                lenders=1,
                accounts=accounts,
                credit_limit=amounts[Field.CREDIT_LIMIT],
                outstanding=amounts[Field.OUTSTANDING],
                monthly_due=amounts[Field.MONTHLY_DUE],
                **dict(zip(CLASS_LABELS, classes, strict=True)),
            )
    return {borrower: dict(counts) for borrower, counts in total.items()}


def truth(path: Path) -> dict[str, dict[str, int]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["borrower"]: {name: int(row[name]) for name in row if name not in ("borrower", "overdue")} for row in rows
    }


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def generate(folder: Path, **options: Any) -> Path:
    ordinary: dict[str, Any] = {"lenders": 5, "borrowers": 300, "as_of": DAY}
    write_portfolio(Portfolio(**(ordinary | options)), folder)
    return folder


@pytest.mark.parametrize(("lenders", "borrowers"), [(1, 20), (3, 200), (5, 400), (12, 100)])
def test_what_all_lenders_hold_together_is_the_truth(tmp_path: Path, lenders: int, borrowers: int) -> None:
    generate(tmp_path, lenders=lenders, borrowers=borrowers)
    books: list[dict[str, tuple[Loan, ...]]] = [{} for _ in range(lenders)]
    for k, book in enumerate(books, start=1):
        take(tmp_path / f"lender-{k}.csv", "CNY", book)
    expected = truth(tmp_path / "truth.csv")
    assert sums(books) == expected
    assert list(expected) == [f"test:{n:06d}" for n in range(1, borrowers + 1)]


def test_the_same_seed_gives_the_same_files_and_another_other_ones(tmp_path: Path) -> None:
    one, two, other = (generate(tmp_path / name, seed=name[0]) for name in ("a1", "a2", "b"))
    assert files(one) == files(two)
    assert files(one) != files(other)


def test_more_borrowers_leave_the_first_ones_as_they_are(tmp_path: Path) -> None:
    few, many = generate(tmp_path / "few", borrowers=50), generate(tmp_path / "many", borrowers=60)
    for name, raw in files(few).items():
        assert files(many)[name].startswith(raw)


def test_accounts_per_borrower_have_the_shares_of_the_real_data() -> None:
    portfolio = Portfolio(5, 4_000, DAY)
    counts = Counter(len(portfolio.accounts_of(n)) for n in range(2, 4_001))
    for accounts, share in ((1, 55), (2, 22), (3, 12), (4, 7), (5, 4)):
        assert abs(100 * counts[accounts] / 3_999 - share) < 2.5


def test_some_borrowers_have_two_loans_with_one_lender_and_every_class_occurs() -> None:
    portfolio = Portfolio(5, 1_000, DAY)
    borrowers = [portfolio.accounts_of(n) for n in range(1, 1_001)]
    assert any(len({a.lender for a in accounts}) < len(accounts) for accounts in borrowers)
    assert {a.loan.classification.label for accounts in borrowers for a in accounts} == set(CLASS_LABELS)
    assert all((a.loan.overdue > 0) == (a.loan.days_past_due > 0) for accounts in borrowers for a in accounts)


def test_every_lender_alone_sees_a_solvent_borrower_and_together_it_is_380_percent() -> None:
    shown = Portfolio(5, 1, DAY).over_indebted()
    assert shown.borrower == "test:000001"
    assert [a.lender for a in shown.accounts] == [1, 2, 3, 4, 5]
    assert [shown.service_percent(k) for k in range(1, 6)] == [42, 36, 29, 26, 22]
    assert (shown.service_percent(), shown.debt_percent()) == (155, 380)
    assert sum(a.loan.outstanding for a in shown.accounts) * 100 == 380 * shown.monthly_income


@pytest.mark.parametrize("lenders", [1, 2, 3, 4, 7, 63])
def test_with_any_number_of_lenders_it_is_380_percent(lenders: int) -> None:
    shown = Portfolio(lenders, 1, DAY).over_indebted()
    assert {a.lender for a in shown.accounts} == set(range(1, min(lenders, 5) + 1))
    assert all(shown.service_percent(k) < 50 for k in range(1, lenders + 1))
    assert shown.debt_percent() == 380
    assert all(a.loan.credit_limit > a.loan.outstanding for a in shown.accounts)


def test_the_over_indebted_borrower_is_in_the_files(tmp_path: Path) -> None:
    portfolio = Portfolio(5, 10, DAY)
    shown = write_portfolio(portfolio, tmp_path)
    row = truth(tmp_path / "truth.csv")["test:000001"]
    assert row["outstanding"] == sum(a.loan.outstanding for a in shown.accounts) == 3_800_000
    assert (row["lenders"], row["accounts"], row["pass"]) == (5, 5, 5)


def test_another_currency_has_its_own_minor_units(tmp_path: Path) -> None:
    generate(tmp_path, currency="JPY", minor_per_major=1, borrowers=1)
    with (tmp_path / "lender-1.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["currency"], row["outstanding"]) == ("JPY", "9600")


@pytest.mark.parametrize(("changes", "path"), [({"lenders": 0}, "lenders"), ({"lenders": 64}, "lenders")])
def test_counts_out_of_range_are_refused(tmp_path: Path, changes: dict[str, int], path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        generate(tmp_path, **changes)
    assert caught.value.path == path
    with pytest.raises(InvalidInput):
        generate(tmp_path, borrowers=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not beside this repository")
def test_real_histories_give_the_truth_month_by_month_and_have_the_same_columns(tmp_path: Path) -> None:
    command = [sys.executable, str(SHARED), str(tmp_path), "--borrowers", "150", "--months", "3"]
    subprocess.run(command, check=True)
    books: list[dict[str, tuple[Loan, ...]]] = [{} for _ in range(5)]
    for month in ("m1", "m2", "m3"):
        for k, book in enumerate(books, start=1):
            take(tmp_path / month / f"lender-{k}.csv", "TWD", book)
        assert sums(books) == truth(tmp_path / month / "truth.csv")
    header = (tmp_path / "m1" / "truth.csv").read_text().split("\n")[0]
    assert header == ",".join(TRUTH_COLUMNS)
