"""Which entries of the logs are replayed: settled ones, and what this node has said itself."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ledger.ceremony.counting import NOWHERE
from ledger.ceremony.entry import ReadyEntry
from ledger.ceremony.share_sealing import public_key
from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain, Replica
from ledger.chain.log import Log
from node.custody.following import Following
from tests.review.peers import entry
from tests.review.test_ceremony_former_logs import BEGINNINGS, COMMON, FIRST, HISTORY, ME, SECOND, opened, ready

BEHIND = COMMON + 1


def witnessed(sizes: Mapping[str, int]):
    def size(held: Log) -> int:
        return min(held.size, sizes.get(held.origin, 0))

    return size


def first_log(*more: bytes) -> Chain:
    chain = opened(FIRST, SECOND)
    chain.own(FIRST).append([*(entry(number) for number in range(COMMON)), *more])
    return chain


def kept(following: Following, history=HISTORY) -> list[tuple[bytes, int | None]]:
    found = []
    for each in following.entries(BEGINNINGS, None, history):
        assert isinstance(each.body, ReadyEntry)
        found.append((each.body.hpke_key, each.until))
    return found


def test_what_is_not_settled_is_not_there():
    chain, sizes = first_log(ready(1, 1)), {FIRST.key.name: COMMON}
    following = Following(chain, "somebody", witnessed(sizes))
    assert kept(following, None) == []
    sizes[FIRST.key.name] = BEHIND
    (only,) = kept(following, None)
    assert only[1] is None


def test_what_this_node_has_said_it_knows_but_does_not_count_before_it_is_settled():
    chain, sizes = first_log(ready(1, 1)), {FIRST.key.name: 0}
    following = Following(chain, ME, witnessed(sizes))
    assert [until for _, until in kept(following, None)] == [NOWHERE]
    sizes[FIRST.key.name] = BEHIND
    assert [until for _, until in kept(following, None)] == [None]


def test_what_it_said_in_a_log_that_has_ended_and_is_not_settled_it_has_not_said():
    """It says the same in its next one."""
    assert kept(Following(first_log(ready(1, 1)), ME, witnessed({}))) == []


@pytest.mark.parametrize("settled", [0, COMMON, BEHIND])
def test_an_entry_that_is_not_settled_does_not_stand_in_the_way_of_one_in_the_next_log(settled):
    chain = first_log(ready(1, 1))
    chain.own(SECOND).append([ready(1, 2)])
    following = Following(chain, "somebody", witnessed({FIRST.key.name: settled, SECOND.key.name: 1}))
    ((key, until),) = kept(following)
    first, second = (public_key(number.to_bytes(32, "big")) for number in (1, 2))
    assert (key, until) == ((first, 1) if settled == BEHIND else (second, None))


def test_below_its_end_a_log_counts_once_it_is_held_so_far_and_is_the_one_that_is_meant():
    """Nobody need have witnessed it."""
    whole = opened(FIRST)
    whole.own(FIRST).append([entry(number) for number in range(COMMON)])
    held, other = opened(FIRST, SECOND), opened(FIRST, SECOND)
    following = Following(held, "somebody", witnessed({}))
    assert following.entries(BEGINNINGS, None, HISTORY) == []
    for block in blocks_from(whole.log(ME), 0):
        Replica(held.log_by_origin(FIRST.key.name)).apply(block)
    following.entries(BEGINNINGS, None, HISTORY)
    assert following._read_to[FIRST.key.name] == COMMON
    other.own(FIRST).append([entry(number + 10) for number in range(COMMON)])
    astray = Following(other, "somebody", witnessed({}))
    astray.entries(BEGINNINGS, None, HISTORY)
    assert astray._read_to[FIRST.key.name] == 0
