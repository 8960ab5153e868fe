"""The market of docs/gain.md: the same for a seed, worse the later reports are, right where nothing is late."""

from __future__ import annotations

import pytest

from scripts.reporting_lag import chart
from scripts.reporting_lag.__main__ import LAGS, TODAY
from scripts.reporting_lag.measure import Counts, measure
from scripts.reporting_lag.population import Assumptions, Borrower, population
from scripts.reporting_lag.views import Reports, seen, truth

ASSUMED = Assumptions()


@pytest.fixture(scope="module")
def borrowers() -> list[Borrower]:
    return list(population(120, 7, ASSUMED))


@pytest.fixture(scope="module")
def by_lag(borrowers: list[Borrower]) -> dict[float, Counts]:
    return {lag: measure(borrowers, Reports.late(lag, ASSUMED.lenders), private=False) for lag in LAGS}


def test_a_seed_always_gives_the_same_market(borrowers: list[Borrower]) -> None:
    assert borrowers == list(population(120, 7, ASSUMED))
    assert borrowers != list(population(120, 8, ASSUMED))


def test_whoever_knows_the_truth_misjudges_nothing(borrowers: list[Borrower]) -> None:
    counts = measure(borrowers, truth, private=False)
    assert (counts.misjudged, counts.wrong, counts.frozen) == (0, 0, 0)
    assert counts.recognized == counts.many > 0


def test_what_is_withheld_is_no_error_as_the_bands_hold_the_truth(borrowers: list[Borrower]) -> None:
    counts = measure(borrowers, truth, private=True)
    assert counts.withheld > 0
    assert (counts.misjudged, counts.wrong, counts.frozen) == (0, 0, 0)


def test_the_later_the_worse(by_lag: dict[float, Counts]) -> None:
    shares = [by_lag[lag].share("misjudged") for lag in LAGS]
    assert shares == sorted(shares)
    assert by_lag[1.0].share("wrong") < by_lag[TODAY].share("wrong") < by_lag[45.0].share("wrong")
    assert by_lag[1.0].share("recognized") > by_lag[45.0].share("recognized")


def test_today_is_the_world_that_the_design_tells_of(by_lag: dict[float, Counts]) -> None:
    """42 %, here of few borrowers."""
    assert 0.36 < by_lag[TODAY].share("misjudged") < 0.48


@pytest.mark.parametrize("days", [1.0, 18.0])
def test_reports_are_as_late_as_is_said(days: float) -> None:
    reports = Reports.late(days, ASSUMED.lenders)
    ages = [day - reports(lender, day) for lender in range(ASSUMED.lenders) for day in range(100, 400)]
    assert min(ages) >= days / 6 - 1e-6
    assert sum(ages) / len(ages) == pytest.approx(days, rel=0.05)


def test_one_sees_ones_own_loans_as_they_are(borrowers: list[Borrower]) -> None:
    borrower = next(each for each in borrowers if each.loans and each.loans[0].start > 60)
    loan = borrower.loans[0]
    day = loan.start + 1
    late = Reports.late(45, ASSUMED.lenders)
    assert seen(borrower, loan.lender, day, late, private=False).includes_own
    assert not seen(
        borrower, (loan.lender + 1) % ASSUMED.lenders, day, lambda lender, at: at - 45, private=False
    ).lenders


def test_the_chart_has_a_line_for_every_figure(by_lag: dict[float, Counts]) -> None:
    drawn = chart.drawn(by_lag, by_lag[1.0], TODAY)
    assert drawn.startswith("<svg ")
    assert drawn.count("<polyline") == len(chart.LINES)
    assert all(label in drawn for _, label, _, _ in chart.LINES)
