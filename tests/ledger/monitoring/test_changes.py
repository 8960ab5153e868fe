"""What counts as a change, and that nothing is claimed which does not follow from what the ledger said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.decision import Amounts, Facts
from ledger.monitoring import CODES, Event, EventUnit, Headroom, Rules, events, text
from ledger.monitoring.texts import LANGUAGES, TEXTS
from tests.ledger.decision.samples import EDGES, any_facts, facts

RULES = Rules()
OFF = Rules(*([False] * 8))
MINOR = 100


def codes(before: Facts, now: Facts, rules: Rules = RULES, **more: object) -> list[str]:
    return [event.code for event in events(before, now, rules, MINOR, **more)]  # type: ignore[arg-type]


@given(any_facts())
@settings(max_examples=100)
def test_the_same_answer_twice_tells_nothing(answer: Facts) -> None:
    assert events(answer, answer, RULES, MINOR, Headroom(1, 1)) == ()


@given(any_facts(), any_facts())
@settings(max_examples=100)
def test_events_come_in_order_each_once_with_words_in_every_language(before: Facts, now: Facts) -> None:
    found = events(before, now, RULES, MINOR, Headroom(5, 0))
    places = [CODES.index(event.code) for event in found]
    assert places == sorted(set(places))
    assert found == events(before, now, RULES, MINOR, Headroom(5, 0))
    for event in found:
        for language in LANGUAGES:
            told = text(event, language, "CNY", MINOR)
            assert told
            assert "{" not in told


@given(any_facts(), any_facts())
@settings(max_examples=50)
def test_rules_that_are_off_tell_nothing(before: Facts, now: Facts) -> None:
    assert events(before, now, OFF, MINOR, Headroom(5, 0)) == ()


def test_every_code_has_its_words() -> None:
    for language in LANGUAGES:
        assert tuple(TEXTS[language]) == CODES


def test_a_new_lender_is_told_but_not_ones_own_loan() -> None:
    assert codes(facts(lenders=2), facts(lenders=3)) == ["NEW_LENDER"]
    assert codes(facts(lenders=2), replace(facts(lenders=3), includes_own=True)) == []
    assert codes(replace(facts(lenders=3), includes_own=True), facts(lenders=3)) == ["NEW_LENDER"]


def test_a_debt_settled_elsewhere_is_told_but_not_a_record_that_was_left_out() -> None:
    assert codes(facts(lenders=3), facts(lenders=2)) == ["SETTLED"]
    left_out = replace(facts(lenders=2), excluded=("lender-4",))
    assert codes(facts(lenders=3), left_out) == []
    assert codes(facts(lenders=4), left_out) == ["SETTLED"]
    [event] = events(left_out, facts(lenders=3), RULES)
    assert (event.code, event.members) == ("NEW_LENDER", ("lender-4",))


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (100_000_00, 120_000_00, False),
        (100_000_00, 120_000_01, True),
        (10_000_00, 19_999_99, False),
        (10_000_00, 20_000_00, True),
        (0, 10_000_00, True),
        (200_000_00, 100_000_00, False),
    ],
)
def test_exposure_is_up_by_a_share_and_by_an_amount(before: int, now: int, told: bool) -> None:
    found = events(facts(before), facts(now), RULES, MINOR)
    assert found == ((Event("EXPOSURE_UP", EventUnit.MINOR, before, now, 20, EventUnit.PERCENT),) if told else ())


def portfolio(sums: list[int]) -> Facts:
    """What is told of these lenders' sums where the total is withheld."""
    counts = [0] * 6
    for each in sums:
        counts[sum(each >= edge for edge in EDGES)] += 1
    return facts(None, lenders=len(sums), bands_of=tuple(counts), classes=(len(sums), 0, 0, 0, 0))


SUMS = st.lists(st.integers(0, 600_000_00), max_size=4)


@given(SUMS, SUMS, st.booleans(), st.booleans())
@settings(max_examples=200)
def test_what_is_told_for_sure_of_withheld_sums_is_true_of_the_sums(
    before: list[int], now: list[int], hide_before: bool, hide_now: bool
) -> None:
    def answer(sums: list[int], hidden: bool) -> Facts:
        told = portfolio(sums)
        return told if hidden else replace(told, amounts=Amounts(sum(sums), sum(sums), 0))

    truth = codes(answer(before, False), answer(now, False))
    told = codes(answer(before, hide_before), answer(now, hide_now))
    if "EXPOSURE_UP" in told:
        assert "EXPOSURE_UP" in truth
    if not hide_before and not hide_now:
        assert "EXPOSURE_MAY_BE_UP" not in told


def test_bands_that_moved_up_say_that_the_sums_may_have() -> None:
    assert codes(portfolio([45_000_00]), portfolio([55_000_00])) == ["EXPOSURE_MAY_BE_UP"]
    assert codes(portfolio([45_000_00]), portfolio([110_000_00])) == ["EXPOSURE_UP"]
    assert codes(portfolio([45_000_00]), portfolio([49_000_00])) == []


def test_a_worse_class_and_the_first_overdue_are_told_once() -> None:
    good, bad = facts(), facts(classes=(1, 0, 1, 0, 0), overdue=(1, 0, 0, 0, 0))
    assert codes(good, bad) == ["WORSE_CLASS", "OVERDUE"]
    assert codes(bad, bad) == []
    assert codes(bad, good) == []
    more = facts(classes=(1, 0, 1, 0, 0), overdue=(0, 1, 0, 0, 0))
    assert codes(bad, more) == []
    nobody = facts(0, 0, 0, classes=(0,) * 5, bands_of=(0,) * 6)
    assert codes(nobody, facts(0, 0, 1, classes=(1, 0, 0, 0, 0), bands_of=(1, 0, 0, 0, 0, 0))) == ["NEW_LENDER"]


def test_inquiries_are_told_when_they_pass_the_limit() -> None:
    few, many = facts(inquiries_30=6), facts(inquiries_30=7)
    assert codes(few, many) == ["INQUIRIES"]
    assert codes(many, facts(inquiries_30=9)) == []


def test_headroom_that_is_gone_is_told_and_only_that() -> None:
    for before, now, told in ((5, 0, True), (5, 1, False), (0, 0, False), (None, 0, False), (5, None, False)):
        assert ("HEADROOM_GONE" in codes(facts(), facts(), headroom=Headroom(before, now))) is told


def test_a_new_dispute_is_told() -> None:
    assert codes(facts(), facts(disputes=1)) == ["NEW_DISPUTE"]
    assert codes(facts(disputes=1), facts()) == []


def test_the_words_have_the_figures() -> None:
    event = Event("EXPOSURE_UP", EventUnit.MINOR, 1_234_567_89, 2_000_000_00, 20, EventUnit.PERCENT)
    assert text(event, "en", "CNY", 100) == (
        "What is owed at all lenders rose by more than 20 %: from 1,234,567.89 CNY to 2,000,000.00 CNY."
    )
    worse = Event("WORSE_CLASS", EventUnit.CLASS, None, 2)
    assert text(worse, "zh", "CNY", 100) == "有机构的贷款分类变差:现为“次级”,此前最差为“无”。"
