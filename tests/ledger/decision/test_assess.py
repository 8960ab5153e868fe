"""What is decided, and why: every rule at its edges, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given

from ledger.decision import Application, DecisionPolicy, Effect, NewLoan, Outcome, assess
from ledger.decision.policy import Limits
from ledger.decision.texts import LANGUAGES, TEXTS, change, what
from tests.ledger.decision.samples import APPLICATION, INCOME, POLICY, any_facts, application, facts


def found(*, of=None, to=None, policy=POLICY):
    """Effect by code."""
    return {each.code: each.effect for each in assess(of or facts(), to or application(), policy).reasons}


def test_a_small_loan_to_somebody_with_small_debts_is_approved_without_a_word():
    done = assess(facts(), application(), POLICY)
    assert (done.outcome, done.reasons, done.held) == (Outcome.APPROVE, (), False)


def test_the_borrower_of_the_design_is_declined_and_told_the_figures():
    """Below half of the income at each of five lenders, 380 % of a month's income together."""
    heavy = facts(INCOME * 38 // 10, INCOME * 155 // 100, 5)
    done = assess(heavy, application(), replace(POLICY, debt=Limits(300, 380)))
    reasons = {each.code: each for each in done.reasons}
    assert done.outcome is Outcome.DECLINE
    assert reasons["SERVICE_TO_INCOME"].figure == 1_563  # 155 % and 1.25 % of this loan, rounded up
    assert what(reasons["SERVICE_TO_INCOME"], "en", POLICY).startswith("With this loan, your monthly payments")
    assert "156.3 %" in what(reasons["SERVICE_TO_INCOME"], "zh", POLICY)
    assert reasons["SERVICE_TO_INCOME"].change == INCOME * 155 // 100 + 100_00 - INCOME * 70 // 100
    assert reasons["DEBT_TO_INCOME"].effect is Effect.DECLINE


@pytest.mark.parametrize(
    ("due", "effect"),
    [
        (INCOME // 2 - 100_00, None),
        (INCOME // 2 - 100_00 + 1, Effect.REVIEW),
        (INCOME * 7 // 10 - 100_00, Effect.REVIEW),
        (INCOME * 7 // 10 - 100_00 + 1, Effect.DECLINE),
    ],
)
def test_service_to_income_is_compared_to_the_minor_unit(due, effect):
    assert found(of=facts(due=due)).get("SERVICE_TO_INCOME") is effect


@pytest.mark.parametrize(("owed", "effect"), [(199_000_00, None), (199_000_01, Effect.DECLINE)])
def test_the_cap_for_one_borrower_counts_the_loan_that_is_asked_for(owed, effect):
    of = facts(owed)
    assert found(of=of, to=Application(10**9, NewLoan(1_000_00, 100_00))).get("BORROWER_CAP") is effect


def test_who_lends_already_is_no_further_lender():
    four = facts(lenders=4)
    assert found(of=four) == {"LENDERS": Effect.REVIEW}
    assert found(of=replace(four, includes_own=True)) == {}
    assert found(of=four, to=Application(INCOME)) == {}


@pytest.mark.parametrize(
    ("classes", "effect"),
    [
        ((2, 0, 0, 0, 0), None),
        ((1, 1, 0, 0, 0), Effect.REVIEW),
        ((1, 0, 1, 0, 0), Effect.DECLINE),
        ((0, 1, 0, 0, 1), Effect.DECLINE),
    ],
)
def test_the_worst_class_counts(classes, effect):
    assert found(of=facts(classes=classes)).get("WORST_CLASS") is effect


@pytest.mark.parametrize(
    ("overdue", "effect"),
    [((1, 0, 0, 0, 0), Effect.REVIEW), ((0, 1, 0, 0, 0), Effect.REVIEW), ((0, 0, 1, 0, 0), Effect.DECLINE)],
)
def test_a_band_of_overdue_counts_by_its_lower_end(overdue, effect):
    assert found(of=facts(overdue=overdue)).get("OVERDUE") is effect


def test_inquiries_count_where_they_are_many_and_where_they_rise():
    assert found(of=facts(inquiries_30=2, inquiries_90=2)) == {}
    assert found(of=facts(inquiries_30=3, inquiries_90=6)) == {}  # 3 in a month after 1.5 a month: not more than twice
    assert found(of=facts(inquiries_30=4, inquiries_90=7)) == {"INQUIRIES_RISING": Effect.REVIEW}
    assert found(of=facts(inquiries_30=7, inquiries_90=27)) == {"INQUIRIES": Effect.REVIEW}


def test_withheld_sums_are_no_reason_to_decline_but_what_the_bands_say_for_sure_is():
    hidden = facts(None)
    assert assess(hidden, application(), POLICY).outcome is Outcome.REVIEW
    assert found(of=hidden) == {"AMOUNTS_WITHHELD": Effect.REVIEW}
    above = facts(None, bands_of=(0, 0, 0, 0, 1, 0))
    assert found(of=above)["BORROWER_CAP"] is Effect.DECLINE


def test_an_open_dispute_holds_a_decline_and_nothing_else():
    bad = facts(classes=(0, 0, 0, 0, 1))
    held = assess(replace(bad, disputes=1), application(), POLICY)
    assert (held.outcome, held.held) == (Outcome.REVIEW, True)
    assert assess(bad, application(), POLICY).outcome is Outcome.DECLINE
    assert assess(replace(facts(), disputes=1), application(), POLICY).outcome is Outcome.APPROVE


def test_stale_data_is_told_and_left_out_lenders_ask_for_a_person():
    assert assess(facts(stale=("lender-2",)), application(), POLICY).outcome is Outcome.APPROVE
    strict = replace(POLICY, stale_review=True)
    assert assess(facts(stale=("lender-2",)), application(), strict).outcome is Outcome.REVIEW
    assert assess(facts(excluded=("lender-2",)), application(), POLICY).outcome is Outcome.REVIEW


def test_without_income_nothing_is_declined_for_it_and_a_person_decides():
    assert found(to=application(income=None)) == {"INCOME_UNKNOWN": Effect.REVIEW}
    assert found(to=application(income=0))["SERVICE_TO_INCOME"] is Effect.DECLINE


@given(any_facts(), APPLICATION)
def test_the_outcome_is_that_of_the_strongest_reason(of, to):
    done = assess(of, to, POLICY)
    effects = {each.effect for each in done.reasons}
    if Effect.DECLINE in effects:
        assert done.outcome is (Outcome.REVIEW if of.disputes else Outcome.DECLINE)
    else:
        assert done.outcome is (Outcome.REVIEW if Effect.REVIEW in effects else Outcome.APPROVE)
    assert done == assess(of, to, POLICY)


@given(any_facts(), APPLICATION)
def test_a_larger_loan_is_never_decided_better(of, to):
    assume(to.loan is not None)
    order = [Outcome.APPROVE, Outcome.REVIEW, Outcome.DECLINE]
    more = replace(to, loan=NewLoan(to.loan.principal + 1_000_00, to.loan.monthly_due + 1_00))
    assert order.index(assess(of, more, POLICY).outcome) >= order.index(assess(of, to, POLICY).outcome)


@given(any_facts(), APPLICATION)
def test_the_headroom_is_what_would_be_approved_and_no_more(of, to):
    done = assess(of, to, POLICY)
    terms = to.loan if to.loan and to.loan.principal else NewLoan(POLICY.term_months, 1)

    def outcome(principal):
        due = -(-principal * terms.monthly_due // terms.principal)
        return assess(of, Application(to.income, NewLoan(principal, due)), POLICY).outcome

    if of.amounts is None or to.income is None:
        assert done.headroom is None
        return
    assert done.headroom is not None
    assume(done.headroom * terms.monthly_due // terms.principal < 1 << 40)
    if done.headroom:
        assert outcome(done.headroom) is Outcome.APPROVE
    assume((done.headroom + 1) * terms.monthly_due // terms.principal < 1 << 40)
    assert outcome(done.headroom + 1) is not Outcome.APPROVE


@given(any_facts(), APPLICATION)
def test_taking_a_reasons_change_off_takes_the_reason_away(of, to):
    """What the borrower is told would help does help: for sums, by a smaller debt."""
    done = assess(of, to, POLICY)
    for reason in done.reasons:
        if reason.code != "BORROWER_CAP" or of.amounts is None or reason.change > of.amounts.outstanding:
            continue
        better = replace(of, amounts=replace(of.amounts, outstanding=of.amounts.outstanding - reason.change))
        assert "BORROWER_CAP" not in {each.code for each in assess(better, to, POLICY).reasons}


@given(any_facts(), APPLICATION)
def test_every_reason_has_words_in_every_language(of, to):
    for reason in assess(of, to, POLICY).reasons:
        for language in LANGUAGES:
            for text in (what(reason, language, POLICY), change(reason, language, POLICY)):
                assert text
                assert "{" not in text
                assert text[-1] in ".。"


def test_both_languages_know_the_same_reasons():
    assert set(TEXTS["en"]) == set(TEXTS["zh"])


def test_a_policy_may_say_otherwise():
    lenient = DecisionPolicy(service=Limits(1_000, 2_000), cap=Limits(10**6, 10**6), debt=Limits(10**4, 10**4))
    assert assess(facts(50_000_00, 20_000_00), application(), lenient).outcome is Outcome.APPROVE
