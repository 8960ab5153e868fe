"""The policy: its defaults, its ranges and its text."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.consortium.policy import MOST_ASKED_FOR, Policy, default_policy, override_policy, read_policy, render_policy
from ledger.errors import InvalidInput
from ledger.positions.bands import Bands
from ledger.toml import read_toml


def read(text, members=10, minor_per_major=100):
    return read_policy(read_toml(f"[policy]\n{text}").table("policy"), members, minor_per_major)


def reason_and_path(text, **arguments):
    with pytest.raises(InvalidInput) as caught:
        read(text, **arguments)
    return caught.value.reason, caught.value.path


@pytest.mark.parametrize(("members", "contributors"), [(3, 2), (5, 2), (6, 3), (100, 3)])
def test_larger_consortia_ask_for_more_contributors(members, contributors):
    assert default_policy(members).min_contributors == contributors
    assert read("", members=members) == default_policy(members)


def test_the_defaults_are_those_of_version_1():
    assert render_policy(default_policy(3)) == (
        "min_contributors = 2\n"
        "differencing_days = 90\n"
        "queries_per_borrower = 3\n"
        "inquiries_per_day = 100000\n"
        "evaluations_per_day = 1000000\n"
        "grace_days = 10\n"
        "amount_bits = 36\n"
        "bands = [10000, 50000, 100000, 200000, 500000]\n"
        "overdue_bands = [1000, 10000, 50000, 200000]\n"
        "heartbeat_seconds = 5\n"
        "gossip_seconds = 2\n"
        "inquiry_seconds = 120\n"
        "heads_seconds = 30\n"
    )


def test_the_default_bands_fit_the_digits_they_are_packed_in():
    policy = default_policy(3)
    assert len(Bands.from_major(policy.bands, policy.overdue_bands, 100).outstanding) == 5


@pytest.mark.parametrize("key", [field.name for field in fields(Policy) if "bands" not in field.name])
@pytest.mark.parametrize("value", ["-1", "true", '"3"', "99999999999999", "1.0"])
def test_every_number_has_its_type_and_range(key, value):
    reason, path = reason_and_path(f"{key} = {value}\n")
    assert reason in ("OUT_OF_RANGE", "BAD_TYPE")
    assert path == f"policy.{key}"


def test_one_contributor_would_be_its_own_sum():
    assert reason_and_path("min_contributors = 1") == ("OUT_OF_RANGE", "policy.min_contributors")


def test_no_more_contributors_are_asked_for_than_there_are_others():
    assert read("min_contributors = 3", members=4).min_contributors == 3
    assert reason_and_path("min_contributors = 3", members=3) == ("OUT_OF_RANGE", "policy.min_contributors")


@pytest.mark.parametrize("key", ["bands", "overdue_bands"])
@pytest.mark.parametrize(
    "edges", [[1, 2, 3], [1, 2, 3, 4, 5, 6], [1, 1, 2, 3, 4], [1, 1, 2, 3], [5, 4, 3, 2, 1], [4, 3, 2, 1]]
)
def test_bands_ascend_and_are_as_many_as_their_digits(key, edges):
    assert reason_and_path(f"{key} = {edges}") == ("BAD_BANDS", f"policy.{key}")


def test_no_edge_lies_beyond_what_an_amount_can_be():
    largest = (1 << 40) // 100
    assert read(f"overdue_bands = [1, 2, 3, {largest}]").overdue_bands[-1] == largest
    assert reason_and_path(f"overdue_bands = [1, 2, 3, {largest + 1}]") == ("OUT_OF_RANGE", "policy.overdue_bands[3]")
    assert reason_and_path("bands = [0, 1, 2, 3, 4]") == ("OUT_OF_RANGE", "policy.bands[0]")


def test_no_more_contributors_are_asked_for_than_the_release_rule_can_afford():
    assert read(f"min_contributors = {MOST_ASKED_FOR}", members=20).min_contributors == MOST_ASKED_FOR
    assert reason_and_path(f"min_contributors = {MOST_ASKED_FOR + 1}", members=20) == (
        "OUT_OF_RANGE",
        "policy.min_contributors",
    )


def test_an_unknown_key_is_refused():
    assert reason_and_path("min_contributor = 3") == ("UNKNOWN_KEY", "policy.min_contributor")


@given(
    st.integers(2, MOST_ASKED_FOR),
    st.integers(0, 365),
    st.lists(st.integers(1, 10**9), min_size=5, max_size=5, unique=True),
)
def test_what_is_rendered_reads_back(contributors, grace, edges):
    policy = replace(default_policy(10), min_contributors=contributors, grace_days=grace, bands=tuple(sorted(edges)))
    assert read(render_policy(policy)) == policy


def test_values_are_overridden_by_text():
    changed = override_policy(default_policy(3), {"grace_days": "0", "bands": "1,2,3,4,5"})
    assert changed == replace(default_policy(3), grace_days=0, bands=(1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    "setting", [("x", "1"), ("grace_days", ""), ("grace_days", "1_0"), ("bands", "1,,2"), ("bands", "")]
)
def test_text_that_is_no_value_is_refused(setting):
    with pytest.raises(InvalidInput) as caught:
        override_policy(default_policy(3), dict([setting]))
    assert caught.value.path == f"policy.{setting[0]}"


def test_an_unprintable_setting_does_not_reach_the_terminal():
    with pytest.raises(InvalidInput) as caught:
        override_policy(default_policy(3), {"\x1b[2J": "1"})
    assert caught.value.path == "policy"
