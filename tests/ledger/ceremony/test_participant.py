"""Honest custodians: they end with keys that fit, in any order of events, away, slow, or crashing."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2

from ledger.ceremony import Append, CeremonyEntry, Participant, Persist, Timing
from ledger.ceremony.entry import CloseEntry, ConfirmationEntry, DealingEntry, ReadyEntry
from ledger.ceremony.state import ParticipantState
from ledger.errors import InvalidInput, Unverified
from ledger.keys import SecretShares
from tests.ledger.ceremony.promises import check_agreement, check_no_contradiction, check_shares
from tests.ledger.ceremony.simulation import QUICK, World

seeds = st.integers(0, 2**32)


def shares_of(world: World) -> list[SecretShares]:
    return [node.installed[0].shares for node in world.nodes if node.installed]


def all_ready(world: World) -> World:
    world.run(until=lambda ceremony: len(ceremony.current.readies) == world.context.size)
    return world


@pytest.mark.parametrize(("size", "threshold"), [(2, 2), (3, 2), (3, 3), (4, 3), (5, 3), (5, 5), (7, 4)])
def test_custodians_agree_on_keys_that_any_t_of_them_hold(size: int, threshold: int) -> None:
    world = World(size, threshold, seed=size)
    ceremony = world.run()
    assert ceremony.phase == "final"
    assert ceremony.outcome is not None
    assert ceremony.outcome.qualified == tuple(world.context.indices)
    assert len(shares_of(world)) == size
    check_shares(ceremony.outcome.keys, threshold, shares_of(world))
    check_agreement(world)
    check_no_contradiction(world)


@settings(max_examples=10)
@given(seeds)
def test_the_order_of_events_does_not_matter(seed: int) -> None:
    world = World(3, 2, seed)
    assert world.run().phase == "final"
    assert [len(node.installed) for node in world.nodes] == [1, 1, 1]
    check_agreement(world)


def test_two_ceremonies_have_other_keys() -> None:
    worlds = [World(2, 2, seed) for seed in (1, 2)]
    keys = [world.run().keys for world in worlds]
    assert None not in keys
    assert keys[0] != keys[1]


def test_nothing_is_dealt_before_all_are_ready() -> None:
    world = World(4, 3)
    ceremony = world.run(away=[3])
    assert ceremony.waiting_for == (world.context.custodians[2],)
    assert all(node.published(DealingEntry) == 0 for node in world.nodes)
    assert world.run().phase == "final"


# -- away


@pytest.mark.parametrize("missing", [1, 5])
def test_a_custodian_away_for_everything_but_its_ready_ends_with_its_shares(missing: int) -> None:
    world = all_ready(World(5, 3, seed=missing))
    ceremony = world.run(away=[missing])
    assert ceremony.phase == "final"
    assert ceremony.outcome is not None
    assert missing not in ceremony.outcome.qualified
    assert not world.node(missing).installed
    assert world.run().outcome == ceremony.outcome
    assert len(world.node(missing).installed) == 1
    assert world.node(missing).published(ConfirmationEntry) == 1
    check_shares(ceremony.outcome.keys, 3, shares_of(world))
    check_agreement(world)


def test_a_custodian_away_before_the_close_still_contributes() -> None:
    world = all_ready(World(5, 3))
    world.run(until=lambda ceremony: 1 in ceremony.current.dealings)
    ceremony = world.run(away=[1])
    assert ceremony.outcome is not None
    assert 1 in ceremony.outcome.qualified
    assert [node.published(CloseEntry) for node in world.nodes] == [0, 1, 0, 0, 0]
    world.run()
    assert len(shares_of(world)) == 5


def test_a_custodian_away_before_its_confirmation_holds_nobody_up() -> None:
    world = World(5, 3)
    world.run(until=lambda ceremony: ceremony.phase == "confirming")
    assert world.run(away=[2]).phase == "final"
    # What was dealt to it is kept for as long as it may complain.
    assert set(world.node(1).state.bundles) == {2}
    world.run()
    assert len(shares_of(world)) == 5
    for node in world.nodes:
        assert not any(ParticipantState.from_bytes(state).bundles for state in node.states)


def test_the_dealings_there_are_wait_for_the_others_only_so_long() -> None:
    world = all_ready(World(5, 3))
    started = world.now
    world.run(away=[4])
    assert world.now >= started + QUICK.close_wait
    closes = [entry for log in world.logs.values() for entry in log if isinstance(entry.body, CloseEntry)]
    assert [entry.author for entry in closes] == [world.context.custodians[0]]


def test_fewer_than_t_dealings_are_not_closed() -> None:
    world = all_ready(World(5, 3))
    ceremony = world.run(away=[3, 4, 5])
    assert ceremony.phase == "dealing"
    assert ceremony.waiting_for == world.context.custodians[2:]
    assert world.run().phase == "final"


# -- crashes


@pytest.mark.parametrize("index", [1, 3])
def test_a_crash_at_any_point_changes_nothing(index: int) -> None:
    for point in count(1):
        world = World(3, 2, seed=point)
        world.node(index).crash_points = {point}
        ceremony = world.run()
        assert ceremony.phase == "final"
        assert ceremony.current.number == 1
        assert all(node.installed for node in world.nodes)
        check_agreement(world)
        check_no_contradiction(world)
        if not world.node(index).restarts:
            break
    # Before and after each of: Persist and Append of three entries or four, and Persist, Installed, Erase.
    assert point > 18


@settings(max_examples=10)
@given(seeds)
def test_however_often_all_of_them_crash_they_come_to_keys(seed: int) -> None:
    world = World(3, 2, seed)
    for node in world.nodes:
        node.crash_odds = 0.2
    assert world.run().phase == "final"
    assert all(node.installed for node in world.nodes)
    check_agreement(world)
    check_no_contradiction(world)


def test_a_restarted_custodian_is_told_of_its_shares_again() -> None:
    world = World(3, 2)
    world.run()
    node = world.node(2)
    node.restart()
    node.step()
    assert len(node.installed) == 2
    assert node.installed[0] == node.installed[1]
    assert node.participant.shares == node.installed[0].shares


def test_an_append_that_never_happened_is_made_again_with_the_same_bytes() -> None:
    world = World(3, 2)
    node = world.node(1)
    (persist, append) = node.participant.step([], world.now)
    assert isinstance(persist, Persist)
    assert isinstance(append, Append)
    again = world.participant(node.name, persist.state)
    assert again.step([], world.now + 99) == [append]
    # Nor does it matter that the same process is asked again before its log shows it.
    assert node.participant.step([], world.now) == [append]


def test_what_the_log_holds_is_not_appended_again() -> None:
    world = World(3, 2)
    world.run()
    for node in world.nodes:
        node.restart()
        assert not [a for a in node.participant.step(node.view(), world.now) if isinstance(a, Append)]
        assert node.participant.step(node.view(), world.now) == []


def test_a_rolled_back_state_deals_no_second_time() -> None:
    """A disk restored to an old snapshot: the log, fetched from the others, says what was said."""
    world = World(3, 2)
    node = world.node(2)
    world.run(until=lambda ceremony: len(ceremony.current.readies) == 3)
    old = node.states[-1]
    world.run(until=lambda ceremony: 2 in ceremony.current.dealings)
    node.states = [old]
    node.restart()
    ceremony = world.run()
    assert ceremony.phase == "final"
    assert node.installed
    check_no_contradiction(world)


# -- lost secrets


def test_a_custodian_that_lost_its_secrets_says_so_and_the_others_go_on() -> None:
    world = all_ready(World(5, 3))
    world.node(5).lose_disk()
    ceremony = world.run()
    assert ceremony.phase == "final"
    assert len(shares_of(world)) == 4
    assert world.node(5).participant.is_lost
    assert not any(node.participant.is_lost for node in world.nodes[:4])
    assert world.node(5).published(ReadyEntry) == 1
    # What it could not open for itself it does not deal to others.
    assert world.node(5).published(DealingEntry) == 0


def test_where_all_are_needed_lost_secrets_lead_to_another_attempt() -> None:
    world = World(3, 2)
    world.run(until=lambda ceremony: ceremony.phase == "confirming")
    world.node(2).lose_disk()
    world.run(until=lambda ceremony: ceremony.current.number == 2 and len(ceremony.current.readies) == 3)
    for node in world.nodes:
        assert {ParticipantState.from_bytes(state).attempt for state in node.states} == {2}
    ceremony = world.run()
    assert ceremony.phase == "final"
    assert ceremony.current.number == 2
    assert len(shares_of(world)) == 3
    check_agreement(world)


def test_secrets_lost_after_the_end_are_lost() -> None:
    world = World(3, 2)
    before = world.run()
    sizes = [len(log) for log in world.logs.values()]
    world.node(2).lose_disk()
    assert world.run().outcome == before.outcome
    assert world.node(2).participant.is_lost
    assert world.node(2).participant.shares is None
    assert [len(log) for log in world.logs.values()] == sizes


def test_a_state_whose_shares_do_not_fit_is_refused() -> None:
    world = World(3, 2)
    world.run()
    node = world.node(1)
    shares = world.node(2).state.shares
    assert shares is not None
    node.states[-1] = replace(node.state, shares=SecretShares.of(1, 1, list(shares))).to_bytes()
    node.restart()
    with pytest.raises(Unverified):
        node.participant.step(node.view(), world.now)


# -- what it is made of


def test_only_custodians_take_part() -> None:
    world = World(3, 2)
    with pytest.raises(InvalidInput) as refusal:
        world.participant("a-bank")
    assert refusal.value.reason == "NOT_A_CUSTODIAN"


def test_a_state_of_another_ceremony_is_refused() -> None:
    world = World(3, 2)
    world.run()
    other = replace(world.context, manifest=bytes(32))
    with pytest.raises(InvalidInput) as refusal:
        Participant(other, world.nodes[0].name, world.random.randbytes, QUICK, world.nodes[0].states[-1])
    assert refusal.value.reason == "OTHER_CEREMONY"


def test_with_logs_behind_its_state_a_custodian_does_nothing() -> None:
    world = World(3, 2)
    world.run(until=lambda ceremony: ceremony.phase == "confirming")
    world.node(2).lose_disk()
    world.run()
    node = world.node(1)
    assert node.state.attempt == 2
    node.restart()
    first = [entry for entry in node.view() if entry.body.ceremony == world.context.ceremony_id(1)][:4]
    assert node.participant.step(first, world.now) == []


def test_it_says_when_it_wants_to_be_called() -> None:
    world = World(3, 2)
    node = world.node(1)
    assert node.participant.due is None
    world.run(until=lambda ceremony: ceremony.phase == "confirming")
    for other in world.nodes:
        node.seen[other.name] = len(world.raw[other.name])
    node.seen.pop(node.name)
    node.step()
    assert node.participant.due is not None
    assert world.now < node.participant.due <= world.now + QUICK.settle


def test_without_a_wait_a_ceremony_takes_no_time() -> None:
    world = World(3, 2, timing=Timing(settle=0, turn=0))
    started = world.now
    assert world.run().phase == "final"
    assert world.now - started < 5


def test_secrets_are_in_no_repr() -> None:
    world = World(2, 2)
    (persist, _) = world.node(1).participant.step([], world.now)
    assert isinstance(persist, Persist)
    state = ParticipantState.from_bytes(persist.state)
    assert len(state.hpke_private) == 32
    for shown in (repr(persist), repr(state)):
        assert state.hpke_private.hex() not in shown
        assert "hpke_private" not in shown
        assert "state=" not in shown


def test_entries_are_stamped_with_the_time_they_were_made() -> None:
    world = World(2, 2)
    world.run()
    for log in world.raw.values():
        times = [entry_pb2.Entry.FromString(raw).time for raw in log]
        assert times == sorted(times)
        assert times[0] == 1_700_000_000


def test_entries_of_a_later_attempt_do_not_disturb() -> None:
    world = World(2, 2)
    early = ReadyEntry(world.context.ceremony_id(2), bytes([9]) + bytes(31))
    for node in world.nodes:
        world.logs[node.name].append(CeremonyEntry(node.name, 0, bytes(32), early))
        world.raw[node.name].append(early.encode(1))
    assert world.run().phase == "final"
