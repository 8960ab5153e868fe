"""The release rule as a machine that is told rows; where rows come from is test_findings' matter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.consortium.policy import Policy
from ledger.queries.inquiry import DAY
from ledger.queries.release import DIFFERENCING, FEW_CONTRIBUTORS, HEADS_WENT_BACK, QUOTA, VOID, Look, Standing, Step
from ledger.queries.span import isolates
from tests.vectors import generate_release

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "release.json").read_text())
POLICY = Policy(queries_per_borrower=100)
START = 1_760_000_000


def after(*rows: int, policy: Policy = POLICY, step: int = DAY) -> list[str]:
    """The verdicts on inquiries with these rows, one every `step` seconds."""
    return [
        standing.withheld for standing in standings([(START + step * n, row) for n, row in enumerate(rows)], policy)
    ]


def step(time: int, policy: Policy = POLICY, *sizes: int) -> Step:
    return Step(time, policy, {f"log {number}": size for number, size in enumerate(sizes or (1, 1))})


def standings(inquiries: Sequence[tuple[int, int | None]], policy: Policy = POLICY) -> list[Standing]:
    found, standing = [], Standing()
    for time, row in inquiries:
        standing = standing.voided() if row is None else standing.advanced(step(time, policy), partial(Look, row))
        found.append(standing)
    return found


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["why"])
def test_the_vectors_hold(case):
    policy = Policy(
        min_contributors=case["min_contributors"],
        differencing_days=case["differencing_days"],
        queries_per_borrower=case["queries_per_borrower"],
    )
    inquiries = [
        (one["time"], None if one["row"] is None else sum(1 << member for member in one["row"]))
        for one in case["inquiries"]
    ]
    expected = [one["withheld"] for one in case["inquiries"]]
    assert [standing.withheld for standing in standings(inquiries, policy)] == expected


def test_the_vectors_are_what_their_generator_makes():
    assert json.loads(json.dumps(generate_release.vectors())) == VECTORS


def test_one_contributor_is_its_own_figure():
    assert after(0b1, 0, 0b11) == [FEW_CONTRIBUTORS, FEW_CONTRIBUTORS, ""]


def test_before_and_after_a_lender_joins_only_one_is_told():
    assert after(0b011, 0b111) == ["", DIFFERENCING]
    assert after(0b111, 0b011) == ["", DIFFERENCING]


def test_the_third_pair_of_a_triangle_is_withheld():
    assert after(0b011, 0b110, 0b101) == ["", "", DIFFERENCING]


def test_what_was_withheld_gives_nothing_away_later():
    # {0,1,2} was withheld, so {0,1,2,3} less it is known to nobody.
    assert after(0b0011, 0b0111, 0b1111, 0b0111) == ["", DIFFERENCING, "", DIFFERENCING]


def test_an_answer_older_than_the_window_no_longer_counts():
    policy = Policy(differencing_days=90, queries_per_borrower=100)
    assert after(0b011, 0b111, policy=policy, step=90 * DAY - 1) == ["", DIFFERENCING]
    assert after(0b011, 0b111, policy=policy, step=90 * DAY) == ["", ""]


def test_asking_again_keeps_an_answer_in_the_window():
    times = [(START, 0b011), (START + 60 * DAY, 0b011), (START + 100 * DAY, 0b111)]
    assert [standing.withheld for standing in standings(times)] == ["", "", DIFFERENCING]


def test_with_three_needed_two_that_join_together_stay_hidden_from_neither():
    policy = Policy(min_contributors=3, queries_per_borrower=100)
    assert after(0b00111, 0b11111, policy=policy) == ["", DIFFERENCING]
    assert after(0b00111, 0b11111) == ["", ""]


def test_beyond_the_quota_the_row_is_not_even_asked_for():
    def never() -> Look:
        raise AssertionError("a selection was made for an inquiry nobody answers")

    policy = Policy(queries_per_borrower=1)
    first = Standing().advanced(step(START, policy, 1), lambda: Look(0b11))
    second = first.advanced(step(START + 1, policy, 10**9), never)
    assert (second.withheld, second.released, second.sizes) == (QUOTA, first.released, {"log 0": 1})
    assert second.advanced(step(START + DAY + 1, policy, 2), lambda: Look(0b11)).withheld == ""


def test_a_void_entry_changes_nothing_but_the_verdict():
    before = standings([(START, 0b11)])[0]
    void = before.voided()
    assert (void.withheld, void.released, void.sizes, void.times) == (VOID, before.released, before.sizes, before.times)


def test_trees_once_asked_about_must_stay_covered():
    def never() -> Look:
        raise AssertionError("a selection was made for an inquiry nobody answers")

    first = Standing().advanced(step(START, POLICY, 5, 1), lambda: Look(0))
    behind = first.advanced(step(START, POLICY, 1, 5), never)
    assert (behind.withheld, behind.sizes) == (HEADS_WENT_BACK, {"log 0": 5, "log 1": 1})
    assert behind.advanced(step(START, POLICY, 5, 5), lambda: Look(0)).sizes == {"log 0": 5, "log 1": 5}


histories = st.lists(
    st.tuples(st.integers(0, 400).map(lambda days: START + days * DAY), st.none() | st.integers(0, 31)), max_size=10
)


@given(histories, st.integers(2, 4))
def test_no_set_of_answers_within_a_window_ever_isolates_fewer_than_it_may(history, least):
    """Whatever is asked, in whatever order of times: what was released within a window speaks of nobody alone."""
    policy = Policy(min_contributors=least, queries_per_borrower=100)
    found = standings(history, policy)
    for n, (time, row) in enumerate(history):
        if row is None or found[n].withheld:
            continue
        window = [
            earlier
            for k, (then, earlier) in enumerate(history[: n + 1])
            if earlier is not None
            and not found[k].withheld
            and (then > time - DAY * policy.differencing_days or k == n)
        ]
        assert not isolates(window, least - 1)


@given(histories)
def test_the_quota_is_counted_over_every_inquiry_that_is_one(history):
    policy = Policy(queries_per_borrower=2)
    for n, ((time, row), standing) in enumerate(zip(history, standings(history, policy), strict=True)):
        recent = sum(then > time - DAY for then, earlier in history[:n] if earlier is not None)
        assert (standing.withheld == QUOTA) == (row is not None and recent >= 2)
