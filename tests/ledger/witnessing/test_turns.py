"""Turns: the same for everybody by the clock, every other member's in its time, and never the author's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.consortium.policy import Policy
from ledger.errors import NotFound
from ledger.witnessing import turns
from ledger.witnessing.turns import Turn, speaker, turn_at
from tests.lenders import manifest

MANIFEST = manifest(5)
NAMES = [member.name for member in MANIFEST.members]


@pytest.mark.parametrize(
    ("heartbeat", "gossip", "members", "seconds"),
    [
        (5, 2, 3, 10),
        (1, 1, 5, 2),
        (1, 2, 9, 4),
        (1, 2, 10, 8),
        (5, 2, 100, 52),
        (3600, 1, 3, 7200),
        (1, 3600, 100, 93600),
    ],
)
def test_a_quarter_lets_an_author_ask_once_and_everybody_compare_with_everybody(heartbeat, gossip, members, seconds):
    policy = Policy(heartbeat_seconds=heartbeat, gossip_seconds=gossip)
    assert turns.quarter_seconds(policy, members) == seconds
    assert turns.overdue_seconds(policy) == 5 * heartbeat
    assert turns.alert_seconds(policy, members) == max(300, 16 * seconds)


def test_a_turn_has_four_quarters_and_is_told_by_the_clock():
    quarter = turns.quarter_seconds(MANIFEST.policy, 5)
    found = [turn_at(quarter * number + offset, MANIFEST) for number in range(9) for offset in (0, quarter - 0.5)]
    assert found == [Turn(number // 4, number % 4) for number in range(9) for _ in range(2)]


@pytest.mark.parametrize("author", NAMES)
def test_the_author_has_no_turn_and_all_others_follow_each_other_in_the_manifests_order(author):
    place = NAMES.index(author)
    after = [*NAMES[place + 1 :], *NAMES[:place]]
    assert [speaker(MANIFEST, author, number) for number in range(8)] == after * 2


@given(number=st.integers(0, 10**9), members=st.integers(3, 9))
@settings(max_examples=40, deadline=None)
def test_everybody_else_has_a_turn_in_as_many(number, members):
    names = {member.name for member in manifest(members).members}
    for author in names:
        spoken = [speaker(manifest(members), author, number + each) for each in range(members - 1)]
        assert set(spoken) == names - {author}


def test_who_is_no_member_has_no_log_in_turn():
    with pytest.raises(NotFound):
        speaker(MANIFEST, "stranger", 0)
