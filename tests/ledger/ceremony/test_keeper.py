"""One member's shares from epoch to epoch: never none, and no old ones longer than they are good for."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ceremony import Append, Erase, Installed, Keeper, Participant, Persist, Retired
from ledger.ceremony.entry import ConfirmationEntry, DealingEntry
from ledger.ceremony.keeper_state import KeeperState
from ledger.errors import InvalidInput, PlimsollError
from tests.ledger.ceremony.epochs_simulation import RETENTION, EpochsWorld, Home, founding, shares_in
from tests.ledger.ceremony.promises import check_shares, secrets_of
from tests.ledger.ceremony.simulation import custodians

THREE = custodians(3)
STAY = ("lender-1", "lender-2", "lender-4")  # 3 leaves, 4 joins


def founded(seed: int = 0, size: int = 3, threshold: int = 2) -> EpochsWorld:
    world = EpochsWorld(founding(size, threshold), seed)
    assert list(world.run().keys) == [1]
    return world


def check_epoch(world: EpochsWorld, epoch: int) -> None:
    """Its keys are the founding's, its custodians hold shares of them, and nobody holds shares of another."""
    epochs = world.replay()
    beginning = world.beginnings[epoch - 1]
    assert epochs.in_force is not None
    assert epochs.in_force.context.epoch == epoch
    assert list(epochs.keys[epoch]) == list(epochs.keys[1])
    shares = [home.keeper.shares[epoch] for home in world.homes.values() if epoch in home.keeper.shares]
    assert len(shares) == len(beginning.custodians)
    check_shares(epochs.keys[epoch], beginning.threshold, shares)
    for home in world.homes.values():
        held = {epoch} if home.name in beginning.custodians else set()
        assert set(home.keeper.shares) == home.readable() == home.serving == held
        assert not home.openers()


def check_no_second_word(world: EpochsWorld) -> None:
    for log in world.logs.values():
        said = [(entry.body.ceremony, type(entry.body)) for entry in log]
        assert len(set(said)) == len(said)


def check_never_without(home: Home) -> None:
    """From the first state with shares on, each that was persisted has some."""
    states = [action.state for action in home.history if isinstance(action, Persist)]
    first = next(number for number, state in enumerate(states) if shares_in(state))
    assert all(shares_in(state) for state in states[first:])


def test_shares_go_from_epoch_to_epoch_and_old_ones_are_erased() -> None:
    world = founded()
    for names, threshold in ((THREE, 2), (STAY, 2), (custodians(5), 3), (("lender-6", "lender-7"), 2), (THREE, 3)):
        epoch = world.begin(names, threshold)
        world.run()
        check_epoch(world, epoch)
    assert list(world.replay().keys) == [1, 2, 3, 4, 5, 6]
    check_no_second_word(world)


def test_shares_of_two_epochs_do_not_go_together() -> None:
    world = founded()
    old = world.home(1).keeper.shares[1]
    world.begin(THREE, 2)
    world.run()
    new = world.home(2).keeper.shares[2]
    keys = list(world.replay().keys[1])
    assert all(made != key for made, key in zip(secrets_of((old, new)), keys, strict=True))


# -- erasure


def test_old_shares_serve_until_the_grace_is_over() -> None:
    world = founded()
    world.begin(STAY, 2)
    world.run(until=world.now + RETENTION.grace)
    assert world.replay().in_force is not None
    assert not world.replay().in_force.current.undecided()  # type: ignore[union-attr]
    assert [world.home(n).serving for n in (1, 2, 3, 4)] == [{1, 2}, {1, 2}, {1}, {2}]
    confirmed = world.now
    world.run(until=confirmed + RETENTION.grace - 10)
    assert world.home(3).readable() == {1}
    world.run()
    assert world.now >= confirmed + RETENTION.grace - 10
    check_epoch(world, 2)
    assert world.home(3).states
    assert world.home(3).keeper.due is None


def test_a_restart_does_not_start_the_grace_anew_and_both_epochs_serve_on() -> None:
    world = founded()
    world.begin(STAY, 2)
    world.run(until=world.now + RETENTION.grace)
    since = world.home(1).state.final_since[2]
    world.now = since + RETENTION.grace - 1
    world.home(1).restart()
    world.home(1).step()
    assert world.home(1).serving == {1, 2}
    world.now += 1
    world.home(1).step()
    assert world.home(1).serving == world.home(1).readable() == {2}


def test_while_a_receiver_has_not_confirmed_old_shares_are_kept_longer() -> None:
    world = founded(size=5, threshold=3)
    epoch = world.begin((*custodians(4), "lender-7"), 3)
    world.run(until=world.now + 1)  # all ready
    started = world.now
    world.run(away=[7], until=started + RETENTION.grace + 200)
    assert epoch in world.replay().keys
    assert world.home(1).serving == {1, 2}
    world.run(away=[7])
    assert world.now >= started + RETENTION.stragglers
    assert world.home(1).readable() == {2}
    world.run()  # its shares were in the logs all the time
    check_epoch(world, 2)


def test_once_the_last_receiver_confirms_the_grace_suffices() -> None:
    world = founded(size=5, threshold=3)
    world.begin((*custodians(4), "lender-7"), 3)
    world.run(until=world.now + 1)
    started = world.now
    world.run(away=[7], until=started + 200)
    world.run()
    assert world.now < started + 400
    check_epoch(world, 2)


def test_who_should_hold_new_shares_and_does_not_keeps_its_old_ones() -> None:
    world = founded(size=5, threshold=3)
    epoch = world.begin(custodians(5), 3)
    home = world.home(5)
    world.run(until=world.now + 1, away=[])
    private = home.state.participants[epoch]
    world.run(away=[5], final=epoch)
    # It forgets what opens its new shares, and remembers the old ones.
    states = {e: raw for e, raw in home.state.participants.items() if e != epoch}
    assert private not in states.values()
    home.states = [KeeperState(states).to_bytes()]
    home.restart()
    world.run()
    assert world.now > home.state.final_since[epoch] + RETENTION.stragglers
    assert home.keeper.is_lost
    assert home.serving == home.readable() == {1}
    assert world.home(1).readable() == {2}
    # The next resharing gives it shares again, and then the old ones go.
    world.begin(custodians(5), 3)
    world.run()
    check_epoch(world, 3)


def test_who_lost_its_disk_gets_shares_in_the_next_epoch() -> None:
    world = founded()
    world.home(2).lose_disk()
    world.home(2).step()
    assert world.home(2).keeper.is_lost
    world.begin(THREE, 2)
    world.run()
    check_epoch(world, 2)
    assert not world.home(2).keeper.is_lost
    dealers = {e.author for e in world.entries() if isinstance(e.body, DealingEntry)}
    assert dealers == set(THREE)  # of the founding
    assert world.replay().ceremonies[2].outcome.qualified == (1, 3)  # type: ignore[union-attr]


# -- two resharings at once


def test_a_resharing_begun_before_the_last_one_ended_follows_it() -> None:
    world = founded()
    second = world.begin(STAY, 2)
    for home in world.homes.values():
        home.step()
    third = world.begin(("lender-4", "lender-5", "lender-6"), 2)
    epochs = world.run()
    assert list(epochs.keys) == [1, second, third]
    check_epoch(world, third)
    check_no_second_word(world)


# -- a resharing that is left behind


def test_a_resharing_whose_receiver_never_comes_is_left_behind() -> None:
    world = founded()
    world.begin((*THREE, "lender-7"), 3)
    epochs = world.run(away=[7])
    assert list(epochs.keys) == [1]
    assert epochs.ceremonies[2].waiting_for == ("lender-7",)
    assert [world.home(n).serving for n in (1, 2, 3)] == [{1}] * 3
    world.begin(STAY, 2, dealt_from=1)
    world.run(away=[7])
    assert world.replay().in_force.context.epoch == 3  # type: ignore[union-attr]
    assert 2 not in world.replay().ceremonies or world.replay().ceremonies[2].keys is None
    check_epoch(world, 3)


def test_one_that_ends_after_it_was_left_behind_loses_nothing() -> None:
    """Its last confirmation is held back until the next is under way."""
    world = founded(size=5, threshold=3)
    second = world.begin(custodians(5), 3)
    confirmations = 5 + world.replay().ceremonies[1].context.quorum - 1
    for home in cycle(world.homes.values()):
        home.step()
        world.now += 0.1
        if sum(isinstance(entry.body, ConfirmationEntry) for entry in world.entries()) == confirmations:
            break
    assert second not in world.replay().keys
    ceremony = world.replay().ceremonies[second].current.ceremony
    said = [e for e in world.entries() if isinstance(e.body, ConfirmationEntry) and e.body.ceremony == ceremony]
    held_back, confirmed = said[0].body, {entry.author for entry in said}
    late = next(name for name in custodians(5) if name not in confirmed)
    third = world.begin((*custodians(4), "lender-7"), 3, dealt_from=1)
    world.run(away=[7], until=world.now + 50)
    world.append(late, held_back.encode(int(world.now)))
    assert second in world.replay().keys
    # Now epoch 2 is in force, and 3 pending. What 3 is dealt from is kept, however long it takes.
    world.run(away=[7])
    assert world.replay().in_force.context.epoch == second  # type: ignore[union-attr]
    assert all(world.home(n).serving == {1, 2} for n in range(1, 6))
    world.now += 100 * RETENTION.stragglers
    world.run(away=[7])
    assert all(world.home(n).serving == {1, 2} for n in range(1, 6))
    world.run()
    check_epoch(world, third)


# -- crashes


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_crash_at_any_point_of_a_resharing_changes_nothing(number: int) -> None:
    """Of who stays, who leaves, who joins."""
    for point in count(1):
        world = founded(point)
        home = world.home(number)
        home.points, home.restarts = 0, 0
        home.crash_points = {point}
        world.begin(STAY, 2)
        world.run()
        check_no_second_word(world)
        if number != 3:
            check_never_without(home)
        for other in world.homes.values():
            other.step()
        check_epoch(world, 2)
        if not home.restarts:
            break
    assert point > 8


@settings(max_examples=4)
@given(st.integers(0, 2**32))
def test_however_often_all_of_them_crash_the_shares_come_through(seed: int) -> None:
    world = founded(seed)
    for home in world.homes.values():
        home.crash_odds = 0.15
    for names in (STAY, THREE):
        world.begin(names, 2)
        world.run()
    for home in world.homes.values():
        home.crash_odds = 0.0
        home.step()
    check_epoch(world, 3)
    check_no_second_word(world)
    check_never_without(world.home(1))


def test_after_each_persisted_state_a_disk_restored_to_it_goes_on() -> None:
    """Whatever state a crash leaves as the last one: nothing is said twice, and the shares come."""
    world = founded()
    world.begin(STAY, 2)
    home = world.home(1)
    already = len(home.history)
    world.run(final=2)
    states = [action.state for action in home.history[already:] if isinstance(action, Persist)]
    assert len(states) > 3
    for state in states:
        again = world.keeper("lender-1", state)
        said = [a for a in again.step(world.beginnings, world.entries(), world.now) if isinstance(a, Append)]
        assert not said
        assert 1 in again.shares


def test_between_persisting_and_erasing_a_crash_leaves_nothing_readable() -> None:
    world = founded()
    world.begin(STAY, 2)
    world.run(until=world.now + RETENTION.grace)
    home = world.home(3)
    world.now += RETENTION.grace
    retired, persist, erase = home.keeper.step(world.beginnings, world.entries(), world.now)
    assert retired == Retired(1)
    assert isinstance(persist, Persist)
    assert erase == Erase()
    home.execute(persist)
    assert home.readable() == {1}
    home.restart()
    home.step()
    assert home.readable() == set()


# -- what it is made of


def test_what_a_founding_left_is_taken_over() -> None:
    """A home from before there were epochs holds the state of a Participant alone."""
    world = founded()
    home = world.home(1)
    home.states = [home.state.participants[1]]
    home.restart()
    home.step()
    assert home.serving == {1}
    world.begin(STAY, 2)
    world.run()
    check_epoch(world, 2)


def test_who_is_no_custodian_keeps_nothing_and_knows_the_keys() -> None:
    world = founded()
    world.begin(STAY, 2)
    world.run()
    home = world.home(6)
    assert not home.history
    assert home.keeper.epochs is not None
    assert list(home.keeper.epochs.keys) == [1, 2]


def test_installed_names_each_epoch_once() -> None:
    world = founded()
    world.begin(THREE, 2)
    world.run()
    told = [action.keys.epoch for action in world.home(1).history if isinstance(action, Installed)]
    assert told == [1, 2]


def test_states_are_those_of_the_ceremonies_at_hand() -> None:
    world = founded()
    world.beginnings[0] = replace(world.beginnings[0], manifest=bytes(32))
    world.home(1).restart()
    with pytest.raises(InvalidInput) as refusal:
        world.home(1).step()
    assert refusal.value.reason == "OTHER_CEREMONY"


def test_secrets_are_in_no_repr() -> None:
    state = founded().home(1).state
    assert "participants" not in repr(state)
    assert KeeperState.from_bytes(state.to_bytes()) == state


@given(st.binary(max_size=60))
def test_bytes_that_are_no_state_are_refused_as_such(raw: bytes) -> None:
    with pytest.raises(PlimsollError):
        Keeper("lender-1", bytes, RETENTION, None, raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b'{"format": "plimsoll/v1/keeper-state"}',
        b'{"format": "plimsoll/v1/keeper-state", "participants": {"0": ""}, "final_since": {}}',
        b'{"format": "plimsoll/v1/keeper-state", "participants": {"01": ""}, "final_since": {}}',
        b'{"format": "plimsoll/v1/keeper-state", "participants": {"1": 1}, "final_since": {}}',
        b'{"format": "plimsoll/v1/keeper-state", "participants": {"1": "AA=="}, "final_since": {}}',
        b'{"format": "plimsoll/v1/keeper-state", "participants": {}, "final_since": {"1": 1.5}}',
        b'{"format": "plimsoll/v1/keeper-state", "participants": {}, "final_since": {"1": true}}',
        b'{"format": "plimsoll/v1/other", "participants": {}, "final_since": {}}',
    ],
)
def test_a_state_with_one_wrong_value_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        Keeper("lender-1", bytes, RETENTION, None, raw)


def test_a_participant_of_the_founding_is_what_it_was() -> None:
    """The calls that were there before resharing need no more than they did."""
    world = founded()
    context = world.replay().ceremonies[1].context
    participant = Participant(context, "lender-1", world.random.randbytes, None, world.home(1).state.participants[1])
    assert [type(action) for action in participant.step(world.entries(), world.now)] == [Installed, Erase]
