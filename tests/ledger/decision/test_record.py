"""A record can be replayed, and nothing in it can be changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.decision import DecisionPolicy, Record, parse_decision_policy, parse_record
from ledger.errors import PlimsollError, Unverified
from tests.ledger.decision.samples import APPLICATION, POLICY, any_facts, application, facts
from tests.ledger.decision.test_policy import HEAD

RECORD = Record(1_750_000_000, "case 7", "plimsoll/00/lender-1", 12, POLICY, facts(None, stale=("a",)), application())


@given(any_facts(), APPLICATION)
def test_a_record_is_read_again_and_decides_the_same(of, to):
    record = Record(1_750_000_000, "案件 7", "", 0, POLICY, of, to)
    read = parse_record(record.encode())
    assert (read.facts, read.application, read.policy) == (of, to, POLICY)
    assert read.assessment() == record.assessment()
    assert read.id == record.id


def test_a_policy_file_stands_in_it_to_the_letter():
    policy = parse_decision_policy((HEAD + "# ours\n[service]\ndecline_above = 90\n").encode())
    record = Record(1, "", "", 0, policy, facts(), application())
    assert json.loads(record.encode())["policy"] == policy.text
    assert parse_record(record.encode()).policy.id == policy.id


def _leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))
    else:
        yield path


def _changed(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return 7 if value is None else ["x"]


#: What a decision does not rest on may be another: then it is another record, and has another id.
FREE = {("time",), ("reference",), ("inquiry", "origin"), ("inquiry", "index"), ("facts", "withheld")}


@pytest.mark.parametrize("path", list(_leaves(json.loads(RECORD.encode()))), ids=str)
def test_no_field_can_be_changed_unseen(path):
    document = json.loads(RECORD.encode())
    at = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = _changed(at[path[-1]])
    raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    try:
        read = parse_record(raw)
    except PlimsollError:
        return
    assert read.id != RECORD.id
    assert path in FREE or path[0] in ("facts", "application")
    assert read.assessment() == parse_record(raw).assessment()


def test_a_result_that_does_not_follow_is_refused():
    raw = RECORD.encode().replace(b'"outcome":"review"', b'"outcome":"approve"')
    with pytest.raises(Unverified) as refused:
        parse_record(raw)
    assert refused.value.reason == "OTHER_RESULT"


def test_rules_of_another_version_are_not_mistaken_for_these():
    with pytest.raises(Unverified) as refused:
        parse_record(RECORD.encode().replace(b'"engine":1', b'"engine":2'))
    assert refused.value.reason == "OTHER_ENGINE"


@given(st.binary(max_size=200) | st.integers(0, 600).map(lambda cut: RECORD.encode()[:cut]))
def test_nothing_but_our_own_errors_comes_out(raw):
    with pytest.raises(PlimsollError):
        parse_record(raw)


def test_a_record_names_no_borrower():
    assert "borrower" not in json.loads(RECORD.encode())
    assert repr(DecisionPolicy(text="secret")).count("secret") == 0
    assert "80000000" not in repr(Record(1, "", "", 0, POLICY, facts(80_000_000), application(income=80_000_000)))
