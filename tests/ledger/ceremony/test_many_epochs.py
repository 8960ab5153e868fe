"""Resharing after resharing, at random: who holds shares, crashes, absences, lost disks."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.ceremony.epochs_simulation import MEMBERS, EpochsWorld, beginning
from tests.ledger.ceremony.promises import check_shares
from tests.ledger.ceremony.simulation import custodians


def some_custodians(chance: random.Random) -> tuple[list[str], int]:
    size = chance.randint(2, MEMBERS)
    return chance.sample(custodians(MEMBERS), size), chance.randint(size // 2 + 1, size)


def check_in_force(world: EpochsWorld, epoch: int, lost: str) -> None:
    """The secrets of the founding, in the hands of the newest custodians and nobody's else."""
    epochs = world.replay()
    assert epochs.in_force is not None
    assert epochs.in_force.context.epoch == epoch
    assert list(epochs.keys[epoch]) == list(epochs.keys[1])
    names, threshold = world.beginnings[-1].custodians, world.beginnings[-1].threshold
    holders = {home.name: home.keeper.shares[epoch] for home in world.homes.values() if epoch in home.keeper.shares}
    assert set(names) - {lost} <= set(holders) <= set(names)
    check_shares(epochs.keys[epoch], threshold, list(holders.values()))
    for home in world.homes.values():
        assert home.readable() == ({epoch} if home.name in holders else set())
        assert not home.openers()


def check(seed: int, rounds: int) -> None:
    chance = random.Random(seed)
    world = EpochsWorld(beginning(1, *some_custodians(chance)), seed)
    world.run()
    for _ in range(rounds):
        spare = world.beginnings[-1].custodians[world.beginnings[-1].threshold :]
        epoch = world.begin(*some_custodians(chance))
        for home in world.homes.values():
            home.crash_odds = chance.choice([0.0, 0.0, 0.1])
        absent = chance.sample(range(1, MEMBERS + 1), 3)
        world.run(away=absent, until=world.now + chance.choice([0, 10, 50]))
        lost = ""
        if spare and epoch not in world.replay().keys and chance.random() < 0.5:
            lost = chance.choice(spare)
            world.homes[lost].lose_disk()
        world.run()
        for home in world.homes.values():
            home.crash_odds = 0.0
            home.step()
        world.run()
        check_in_force(world, epoch, lost)
        if lost:
            # Its next chance is the next epoch; till then there is one custodian less.
            epoch = world.begin(world.beginnings[-1].custodians, world.beginnings[-1].threshold)
            world.run()
            check_in_force(world, epoch, "")


@settings(max_examples=3)
@given(st.integers(0, 2**32))
def test_the_secrets_outlive_all_changes(seed: int) -> None:
    check(seed, 2)


@pytest.mark.slow
def test_the_secrets_outlive_many_changes() -> None:
    for seed in range(3):
        check(seed, 4)
