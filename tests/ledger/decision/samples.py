"""Facts, applications and policies to decide on."""

from __future__ import annotations

from hypothesis import strategies as st

from ledger.decision import Amounts, Application, DecisionPolicy, Facts, NewLoan
from ledger.decision.facts import Band

EDGES = (10_000_00, 50_000_00, 100_000_00, 200_000_00, 500_000_00)
OVERDUE_EDGES = (1_000_00, 10_000_00, 50_000_00, 200_000_00)
INCOME = 8_000_00


def bands(counts: tuple[int, ...], edges: tuple[int, ...]) -> tuple[Band, ...]:
    lows, highs = (0, *edges), (*(edge - 1 for edge in edges), None)
    return tuple(Band(*each) for each in zip(lows, highs, counts, strict=True))


def facts(
    outstanding: int | None = 10_000_00,
    due: int = 1_000_00,
    lenders: int = 2,
    *,
    classes: tuple[int, ...] = (2, 0, 0, 0, 0),
    bands_of: tuple[int, ...] = (2, 0, 0, 0, 0, 0),
    overdue: tuple[int, ...] = (0, 0, 0, 0, 0),
    **more: object,
) -> Facts:
    """Of a borrower with little to say against him. outstanding: None where the sums are withheld."""
    amounts = None if outstanding is None else Amounts(outstanding * 2, outstanding, due)
    return Facts(
        amounts,
        "" if amounts else "FEW_CONTRIBUTORS",
        lenders,
        lenders,
        False,
        classes,
        bands(bands_of, EDGES),
        bands(overdue, OVERDUE_EDGES),
        **more,  # type: ignore[arg-type]
    )


def application(principal: int = 1_000_00, due: int = 100_00, income: int | None = INCOME) -> Application:
    """For a small loan."""
    return Application(income, NewLoan(principal, due))


POLICY = DecisionPolicy()

AMOUNT = st.integers(0, 1 << 34)
COUNT = st.integers(0, 12)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """Whatever an answer may say, together or not."""
    amounts = draw(st.none() | st.builds(Amounts, AMOUNT, AMOUNT, AMOUNT))
    names = st.lists(st.sampled_from(["lender-1", "lender-2", "lender-3"]), unique=True).map(sorted).map(tuple)
    days_30 = draw(COUNT)
    return Facts(
        amounts,
        "" if amounts else "DIFFERENCING",
        draw(COUNT),
        draw(st.integers(0, 100)),
        draw(st.booleans()),
        draw(st.tuples(*[COUNT] * 5)),
        bands(draw(st.tuples(*[COUNT] * 6)), EDGES),
        bands(draw(st.tuples(*[COUNT] * 5)), OVERDUE_EDGES),
        days_30,
        days_30 + draw(COUNT),
        draw(st.integers(0, 2)),
        draw(names),
        draw(names),
        draw(st.none() | st.integers(0, 24)),
    )


APPLICATION = st.builds(Application, st.none() | AMOUNT, st.none() | st.builds(NewLoan, AMOUNT, AMOUNT))
