"""Queries while custodians are down or frozen: any three of five will do, and with fewer it is said who is missing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ledger.errors import Unavailable
from tests.cluster import Cluster
from tests.e2e.feeds import row

NEW = itertools.count(400_000)
SECONDS = 10.0

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@contextmanager
def without(cluster: Cluster, *members: str, frozen: bool = False) -> Iterator[None]:
    """These nodes are down, or, if frozen, accept calls and never answer."""
    if frozen:
        for member in members:
            cluster.freeze(member)
    else:
        cluster.kill(*members)
    try:
        yield
    finally:
        if frozen:
            for member in members:
                cluster.thaw(member)
        else:
            cluster.restart(*members)


def known_borrower(cluster: Cluster) -> str:
    """Two lenders have a claim, and lender-1 has the key in its book."""
    borrower = f"test:{next(NEW)}"
    for member in ("lender-1", "lender-2", "lender-3"):
        cluster.report(member, [row(borrower, 1_500_000)])
    cluster.wait_same_heads()
    return borrower


def refused(cluster: Cluster, borrower: str) -> Unavailable:
    """Why lender-1 is not told, which it learns soon."""
    started = time.monotonic()
    with pytest.raises(Unavailable) as error:
        cluster.ask("lender-1", borrower)
    assert time.monotonic() - started < SECONDS
    assert error.value.reason == "TOO_FEW_CUSTODIANS"
    return error.value


def test_with_two_of_five_down_answers_are_right_and_quick(consortium: Cluster) -> None:
    borrower = known_borrower(consortium)
    with without(consortium, "lender-4", "lender-5"):
        started = time.monotonic()
        answer = consortium.ask("lender-1", borrower)
        assert time.monotonic() - started < 2
        assert answer.amounts.outstanding == 4_500_000
        assert {left.reason for left in answer.custodians_failed} <= {"UNREACHABLE"}
        stranger = consortium.ask("lender-1", f"test:{next(NEW)}")
        assert stranger.lenders == 0
    assert consortium.ask("lender-4", borrower).amounts.outstanding == 4_500_000


@pytest.mark.parametrize("known", [True, False])
def test_with_three_of_five_down_it_is_said_who_is_missing(consortium: Cluster, known: bool) -> None:
    borrower = known_borrower(consortium) if known else f"test:{next(NEW)}"
    down = ("lender-2", "lender-4", "lender-5")
    with without(consortium, *down):
        error = refused(consortium, borrower)
        assert all(member in error.message for member in down)
        assert "lender-3" not in error.message
    answer = consortium.ask("lender-1", borrower)
    assert answer.lenders == (3 if known else 0)


def test_two_frozen_custodians_cost_patience_and_no_answer(consortium: Cluster) -> None:
    borrower = known_borrower(consortium)
    with without(consortium, "lender-2", "lender-3", frozen=True):
        for _ in range(2):
            started = time.monotonic()
            answer = consortium.ask("lender-1", borrower)
            assert time.monotonic() - started < 3
            assert answer.amounts.outstanding == 4_500_000


@pytest.mark.parametrize("known", [True, False])
def test_three_frozen_custodians_are_named(consortium: Cluster, known: bool) -> None:
    borrower = known_borrower(consortium) if known else f"test:{next(NEW)}"
    frozen = ("lender-2", "lender-3", "lender-5")
    with without(consortium, *frozen, frozen=True):
        error = refused(consortium, borrower)
        assert all(member in error.message for member in frozen)
    assert consortium.ask("lender-1", borrower).lenders == (3 if known else 0)


def test_a_feed_without_enough_custodians_publishes_nothing_and_is_taken_later(consortium: Cluster) -> None:
    known, stranger = known_borrower(consortium), f"test:{next(NEW)}"
    rows = [row(known, 1_600_000, line=2), row(stranger, 1_700_000, line=3)]
    with without(consortium, "lender-3", "lender-4", "lender-5"):
        started = time.monotonic()
        with pytest.raises(Unavailable) as error:
            consortium.report("lender-1", rows)
        assert time.monotonic() - started < SECONDS
        assert "lender-4" in error.value.message
    summary = consortium.report("lender-1", rows)
    assert (summary.accepted, summary.published) == (2, 2)
