"""Policies are read strictly, and written whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.decision import DecisionPolicy, parse_decision_policy, render_decision_policy
from ledger.decision.policy import FORMAT, ClassLimits, Limits
from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.classification import Classification

HEAD = f'format = "{FORMAT}"\nname = "mine"\nversion = 2\ncurrency = "CNY"\n'

LIMITS = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)).map(lambda two: Limits(min(two), max(two)))
POLICIES = st.builds(
    DecisionPolicy,
    name=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
    version=st.integers(1, 1 << 31),
    service=LIMITS,
    debt=LIMITS,
    cap=LIMITS,
    lenders=LIMITS,
    overdue=LIMITS,
    inquiries=LIMITS,
    rolling=LIMITS,
    stale_review=st.booleans(),
)


@given(POLICIES)
def test_what_is_written_is_read_again(policy):
    text = render_decision_policy(policy)
    read = parse_decision_policy(text.encode())
    assert read == policy
    assert read.id == policy.id
    assert render_decision_policy(read) == text


def test_what_is_left_out_is_as_in_the_default_policy():
    read = parse_decision_policy(HEAD.encode())
    assert read == DecisionPolicy(name="mine", version=2)
    assert read.id != DecisionPolicy(name="mine", version=2).id  # the text is another


def test_one_key_can_be_changed_alone():
    read = parse_decision_policy((HEAD + '[service]\ndecline_above = 90\n[class]\ndecline_from = "loss"\n').encode())
    assert read.service == Limits(50, 90)
    assert read.worst_class == ClassLimits(Classification.SPECIAL_MENTION, Classification.LOSS)


@pytest.mark.parametrize(
    ("text", "reason", "path"),
    [
        ("format = 1", "BAD_TYPE", "format"),
        ('format = "other"', "BAD_FORMAT", "format"),
        (f'format = "{FORMAT}"', "MISSING_KEY", "name"),
        (HEAD + "[service]\nreview_above = 80\n", "OUT_OF_RANGE", "service.decline_above"),
        (HEAD + "[service]\nreview_above = -1\n", "OUT_OF_RANGE", "service.review_above"),
        (HEAD + "[service]\nrevue_above = 1\n", "UNKNOWN_KEY", "service.revue_above"),
        (HEAD + "[lenders]\ndecline_above = 1.5\n", "BAD_TYPE", "lenders.decline_above"),
        (HEAD + '[class]\nreview_from = "bad"\n', "UNKNOWN_CLASS", "class.review_from"),
        (HEAD + '[class]\nreview_from = "loss"\n', "OUT_OF_RANGE", "class.decline_from"),
        (HEAD + '[data]\nstale = "decline"\n', "BAD_VALUE", "data.stale"),
        (HEAD + "[growth]\nx = 1\n", "UNKNOWN_KEY", "growth"),
    ],
)
def test_a_mistake_is_named_with_its_path(text, reason, path):
    with pytest.raises(InvalidInput) as refused:
        parse_decision_policy(text.encode())
    assert (refused.value.reason, refused.value.path) == (reason, path)


@given(st.binary(max_size=200))
def test_nothing_but_our_own_errors_comes_out(raw):
    for given_bytes in (raw, HEAD.encode() + raw):
        try:
            parse_decision_policy(given_bytes)
        except PlimsollError:
            continue
