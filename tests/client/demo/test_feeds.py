from __future__ import annotations

from pathlib import Path

import pytest

from client.demo import feeds
from client.demo.feeds import Alone
from ledger.errors import InvalidInput, NotFound
from ledger.positions.feed import COLUMNS


def row(borrower: str, loan: str, outstanding: int, status: str = "open") -> str:
    return (
        f"{borrower},{loan},card,TWD,{10 * outstanding},{outstanding},{outstanding // 10},0,0,pass,{status},2026-01-31"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """test:a has open loans at two lenders, test:b at three, test:c closed ones at all four."""
    rows = {
        1: [row("test:a", "1", 900), row("test:b", "2", 10), row("test:c", "3", 5, "closed")],
        2: [row("test:a", "1", 900), row("test:b", "2", 20), row("test:b", "4", 30), row("test:c", "3", 5, "closed")],
        3: [row("test:c", "3", 5, "closed"), "not,a,row"],
        4: [row(" test:b ", "2", 40), row("test:c", "3", 5, "closed"), row("test:b", "9", 1000, "closed")],
    }
    for k, lines in rows.items():
        (tmp_path / f"lender-{k}.csv").write_text("\n".join((",".join(COLUMNS), *lines)) + "\n")
    return tmp_path


def test_all_feeds_that_are_there_are_found(folder: Path) -> None:
    assert [file.name for file in feeds.find_feeds(folder, None)] == [f"lender-{k}.csv" for k in range(1, 5)]
    assert len(feeds.find_feeds(folder, 3)) == 3


@pytest.mark.parametrize("lenders", [None, 3, 5])
def test_a_feed_that_is_missing_is_named(folder: Path, lenders: int | None) -> None:
    (folder / "lender-2.csv").unlink()
    with pytest.raises(NotFound, match=r"lender-2\.csv"):
        feeds.find_feeds(folder, lenders)


def test_the_borrower_at_the_most_lenders_is_chosen_by_open_loans(folder: Path) -> None:
    assert feeds.most_shared(feeds.find_feeds(folder, None)) in ("test:a", "test:b")
    files = feeds.find_feeds(folder, None)
    assert feeds.alone("test:b", files) == [
        Alone("lender-1", 1, 10, 1, 100),
        Alone("lender-2", 2, 50, 5, 500),
        Alone("lender-3", 0, 0, 0, 0),
        Alone("lender-4", 1, 40, 4, 400),
    ]


def test_of_borrowers_at_as_many_lenders_the_one_with_the_most_debt_is_chosen(folder: Path) -> None:
    assert feeds.most_shared(feeds.find_feeds(folder, 3)) == "test:a"


def test_a_borrower_that_no_node_would_take_is_passed_over(folder: Path) -> None:
    for k in (1, 2, 3):
        with (folder / f"lender-{k}.csv").open("a") as file:
            file.write(row("cn-id:123", "7", 5000) + "\n")
    assert feeds.most_shared(feeds.find_feeds(folder, 3)) == "test:a"


def test_feeds_without_an_open_loan_show_nothing(folder: Path) -> None:
    for file in folder.iterdir():
        file.write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(InvalidInput):
        feeds.most_shared(feeds.find_feeds(folder, None))
    with pytest.raises(InvalidInput):
        feeds.currency_of(folder / "lender-1.csv")


def test_the_currency_is_the_feeds(folder: Path) -> None:
    assert feeds.currency_of(folder / "lender-1.csv") == "TWD"
