"""Promises of folding a feed into what the book holds."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.positions.feed import FeedLoan
from ledger.positions.feed_fold import MAX_CLOSED, Folded, fold_borrower, fold_feed
from ledger.positions.loan import MAX_AMOUNT, Loan, by_loan_id
from ledger.positions.position import fold
from tests.ledger.loans import BANDS, a_loan, loans

BORROWER = "test:000001"


def as_rows(feed: Sequence[Loan], borrower: str = BORROWER) -> list[FeedLoan]:
    return [FeedLoan(line, borrower, loan) for line, loan in enumerate(feed, start=2)]


def apply(held: Sequence[Loan], *feed: Loan) -> Folded:
    return fold_borrower(BORROWER, tuple(held), as_rows(feed))


def test_a_row_replaces_the_older_state_of_its_loan_and_leaves_the_others() -> None:
    held = (a_loan("A", as_of=10), a_loan("B", as_of=10))
    newer = a_loan("A", as_of=11, outstanding=5)
    assert apply(held, newer) == Folded((newer, held[1]), True, 1, ())


def test_a_new_loan_joins_the_others_in_order() -> None:
    held = (a_loan("B"),)
    assert [loan.loan_id for loan in apply(held, a_loan("C"), a_loan("A")).loans] == ["A", "B", "C"]


def test_other_figures_for_the_same_day_are_a_correction() -> None:
    held = (a_loan("A", as_of=10, outstanding=1),)
    corrected = a_loan("A", as_of=10, outstanding=2)
    assert apply(held, corrected) == Folded((corrected,), True, 1, ())


def test_a_row_that_says_nothing_new_is_accepted_and_changes_nothing() -> None:
    held = (a_loan("A"),)
    assert apply(held, a_loan("A")) == Folded(held, False, 1, ())


def test_a_stale_row_is_refused_and_the_others_taken() -> None:
    held = (a_loan("A", as_of=10), a_loan("B", as_of=10))
    folded = apply(held, a_loan("A", as_of=9, outstanding=0), a_loan("B", as_of=12))
    assert folded.loans == (held[0], a_loan("B", as_of=12))
    assert folded.accepted == 1
    assert [(r.line, r.path, r.reason) for r in folded.rejected] == [(2, "as_of", "STALE")]


def test_a_stale_row_does_not_reopen_a_closed_loan_but_a_newer_one_does() -> None:
    held = (a_loan("A", open=False, as_of=10),)
    assert apply(held, a_loan("A", as_of=9)).loans == held
    assert apply(held, a_loan("A", as_of=11)).loans == (a_loan("A", as_of=11),)


def test_a_borrower_beyond_the_limits_keeps_what_is_held_and_all_its_rows_are_refused() -> None:
    held = (a_loan("A", outstanding=MAX_AMOUNT),)
    folded = apply(held, a_loan("B", outstanding=1), a_loan("C", outstanding=0))
    assert (folded.loans, folded.changed, folded.accepted) == (held, False, 0)
    assert [(r.line, r.path, r.reason) for r in folded.rejected] == [
        (2, "outstanding", "SUM_OUT_OF_RANGE"),
        (3, "outstanding", "SUM_OUT_OF_RANGE"),
    ]


def test_a_feed_that_first_adds_and_then_closes_is_judged_by_its_end() -> None:
    held = (a_loan("A", outstanding=MAX_AMOUNT, as_of=1),)
    folded = apply(held, a_loan("B", outstanding=MAX_AMOUNT), a_loan("A", open=False, as_of=2))
    assert not folded.rejected
    assert [loan.open for loan in folded.loans] == [False, True]


def test_the_1024th_open_loan_is_refused() -> None:
    held = tuple(sorted((a_loan(f"{n}", outstanding=1) for n in range(1_023)), key=by_loan_id))
    folded = apply(held, a_loan("X", outstanding=1))
    assert folded.loans is held or folded.loans == held
    assert [r.reason for r in folded.rejected] == ["TOO_MANY_ACCOUNTS"]


def test_loans_that_have_no_room_in_a_position_are_refused_before_anything_is_promised() -> None:
    noise = random.Random(0)
    feed = [a_loan(noise.randbytes(32).hex(), outstanding=noise.randrange(2**30)) for _ in range(1_000)]
    folded = apply((), *feed)
    assert folded.loans == ()
    assert {r.reason for r in folded.rejected} == {"TOO_MANY_LOANS"}
    assert len(folded.rejected) == 1_000


def test_only_the_newest_closed_loans_are_remembered() -> None:
    feed = [a_loan(f"{n:03d}", open=False, as_of=n) for n in range(MAX_CLOSED + 10)]
    folded = apply((a_loan("open"),), *feed)
    assert [loan.as_of for loan in folded.loans if not loan.open] == list(range(10, MAX_CLOSED + 10))
    assert folded.accepted == len(feed)
    assert not apply(folded.loans, *feed).changed


def test_with_many_open_loans_only_the_newest_closed_one_is() -> None:
    feed = [a_loan(f"o{n}", outstanding=1) for n in range(257)]
    feed += [a_loan(f"c{n}", open=False, as_of=30_000 + n) for n in range(3)]
    folded = apply((), *feed)
    assert [loan.loan_id for loan in folded.loans if not loan.open] == ["c2"]
    assert not apply(folded.loans, *feed).changed


def test_borrowers_of_one_feed_do_not_touch_each_other() -> None:
    rows = [
        FeedLoan(2, "test:2", a_loan("A")),
        FeedLoan(3, "test:1", a_loan("A", outstanding=MAX_AMOUNT)),
        FeedLoan(4, "test:2", a_loan("B")),
        FeedLoan(5, "test:1", a_loan("B", outstanding=MAX_AMOUNT)),
    ]
    folded = fold_feed(rows, {"test:1": [a_loan("Z")], "test:3": [a_loan("A")]})
    assert list(folded) == ["test:2", "test:1"]
    assert folded["test:2"].loans == (a_loan("A"), a_loan("B"))
    assert folded["test:1"].loans == (a_loan("Z"),)
    assert [r.line for r in folded["test:1"].rejected] == [3, 5]


# Few loan numbers, days and large amounts, so that everything collides.
feeds = st.lists(
    loans(
        loan_ids=st.sampled_from("ABCD"),
        amount=st.sampled_from([0, 1, MAX_AMOUNT // 3, MAX_AMOUNT]),
    ).map(lambda loan: a_loan(loan.loan_id, outstanding=loan.outstanding, open=loan.open, as_of=loan.as_of % 3)),
    min_size=1,
    max_size=4,
    unique_by=lambda loan: loan.loan_id,
)


@given(feeds, feeds)
@settings(max_examples=200)
def test_the_same_feed_twice_changes_nothing_the_second_time(history: list[Loan], feed: list[Loan]) -> None:
    held = apply((), *history).loans
    once = apply(held, *feed)
    twice = apply(once.loans, *feed)
    assert twice.loans == once.loans
    assert not twice.changed
    assert (twice.accepted, twice.rejected) == (once.accepted, once.rejected)


@given(st.lists(feeds, min_size=1, max_size=4))
@settings(max_examples=100)
def test_a_borrowers_as_of_never_goes_back(history: list[list[Loan]]) -> None:
    held: tuple[Loan, ...] = ()
    as_of = 0
    for feed in history:
        held = apply(held, *feed).loans
        if held:
            position = fold(held, BANDS)
            assert position.as_of >= as_of
            as_of = position.as_of


@given(feeds, feeds, st.data())
@settings(max_examples=100)
def test_the_order_of_rows_in_a_feed_does_not_matter(
    history: list[Loan], feed: list[Loan], data: st.DataObject
) -> None:
    held = apply((), *history).loans
    assert apply(held, *data.draw(st.permutations(feed))).loans == apply(held, *feed).loans


@given(feeds, feeds)
@settings(max_examples=100)
def test_every_row_is_accounted_for_and_what_is_held_can_be_published(history: list[Loan], feed: list[Loan]) -> None:
    folded = apply(apply((), *history).loans, *feed)
    assert folded.accepted + len(folded.rejected) == len(feed)
    assert list(folded.loans) == sorted(folded.loans, key=by_loan_id)
    if folded.loans:
        fold(folded.loans, BANDS)


@pytest.mark.parametrize("held", [(), (a_loan("A"),)])
def test_no_rows_change_nothing(held: tuple[Loan, ...]) -> None:
    assert apply(held) == Folded(held, False, 0, ())
