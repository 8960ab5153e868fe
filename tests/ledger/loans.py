"""Loans to test with."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from ledger.positions.bands import Bands
from ledger.positions.classification import Classification
from ledger.positions.loan import MAX_AMOUNT, MAX_AS_OF, MAX_DAYS_PAST_DUE, Loan

BANDS = Bands.from_major((10_000, 50_000, 100_000, 200_000, 500_000), (1_000, 10_000, 50_000, 200_000), 100)


def a_loan(loan_id: Any = "L1", **changes: Any) -> Loan:
    """An ordinary loan, less what a test wants otherwise."""
    ordinary: dict[str, Any] = {
        "product": "revolving",
        "credit_limit": 5_000_000,
        "outstanding": 1_234_567,
        "monthly_due": 61_728,
        "overdue": 0,
        "days_past_due": 0,
        "classification": Classification.PASS,
        "open": True,
        "as_of": 20_000,
    }
    return Loan(loan_id, **(ordinary | changes))


printable = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=64)
amounts = st.integers(0, MAX_AMOUNT)
either = st.booleans()


def loans(
    loan_ids: st.SearchStrategy[str] = printable,
    amount: st.SearchStrategy[int] = amounts,
    running: st.SearchStrategy[bool] = either,
) -> st.SearchStrategy[Loan]:
    return st.builds(
        Loan,
        loan_id=loan_ids,
        product=st.just("") | printable,
        credit_limit=amount,
        outstanding=amount,
        monthly_due=amount,
        overdue=amount,
        days_past_due=st.integers(0, MAX_DAYS_PAST_DUE),
        classification=st.sampled_from(Classification),
        open=running,
        as_of=st.integers(0, MAX_AS_OF),
    )


# Small enough that a dozen of them stay within a lender's limits.
small_amounts = st.integers(0, MAX_AMOUNT // 16)


def books(
    min_size: int = 1, max_size: int = 8, running: st.SearchStrategy[bool] = either
) -> st.SearchStrategy[list[Loan]]:
    """What one borrower may have at one lender, in any order."""
    return st.lists(
        loans(amount=small_amounts, running=running),
        min_size=min_size,
        max_size=max_size,
        unique_by=lambda loan: loan.loan_id,
    )


FIELD_NAMES = tuple(field.name for field in fields(Loan))
