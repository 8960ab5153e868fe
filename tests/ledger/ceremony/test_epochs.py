"""Epoch after epoch, out of the logs alone."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ledger.ceremony import Beginning, replay_epochs
from ledger.ceremony.entry import ConfirmationEntry
from ledger.errors import InvalidInput
from tests.ledger.ceremony.epochs_simulation import EpochsWorld, beginning, founding
from tests.ledger.ceremony.simulation import custodians
from tests.lenders import manifest

THREE = custodians(3)


def reshared() -> EpochsWorld:
    """Epoch 2 is left behind, 3 is dealt from 1, 4 from 3."""
    world = EpochsWorld()
    world.run()
    world.begin((*THREE, "lender-7"), 3)
    world.run(away=[7])
    world.begin(("lender-1", "lender-2", "lender-4"), 2, dealt_from=1)
    world.run(away=[7])
    world.begin(custodians(4), 3)
    world.run()
    return world


def test_whoever_has_the_logs_finds_every_epochs_keys_in_whatever_order_they_came() -> None:
    world = reshared()
    keys = world.replay().keys
    assert list(keys) == [1, 3, 4]
    assert [len(keys[epoch].custodians) for epoch in keys] == [3, 3, 4]
    assert len({tuple(key) for key in keys.values()}) == 1
    for seed in range(3):
        entries = world.entries()
        random.Random(seed).shuffle(entries)
        found = replay_epochs(world.beginnings, entries)
        assert found.keys == keys
        assert found.in_force is not None
        assert found.in_force.context.epoch == 4
        assert found.newest.epoch == 4


def test_a_part_of_the_logs_gives_a_part_of_the_epochs_and_never_others() -> None:
    world = reshared()
    keys = world.replay().keys
    logs = list(world.logs.values())
    for seed in range(12):
        chance = random.Random(seed)
        entries = [entry for log in logs for entry in log[: chance.randint(0, len(log))]]
        found = replay_epochs(world.beginnings, entries, world.checks)
        for epoch, part in found.keys.items():
            assert part == keys[epoch]


def test_what_is_dealt_from_an_epoch_that_is_not_final_is_not_judged_yet() -> None:
    world = reshared()
    third = world.replay().ceremonies[3].current.ceremony
    entries = [e for e in world.entries() if not (isinstance(e.body, ConfirmationEntry) and e.body.ceremony == third)]
    found = replay_epochs(world.beginnings, entries)
    assert list(found.keys) == [1]
    assert list(found.ceremonies) == [1, 2, 3]


def test_dealings_of_one_epoch_do_not_pass_for_those_dealt_from_another() -> None:
    """A manifest says what is dealt from; who holds the logs cannot pretend that it was something else."""
    world = reshared()
    other = [*world.beginnings[:3], replace(world.beginnings[3], dealt_from=1)]
    found = replay_epochs(other, world.entries())
    assert 4 not in found.keys
    assert {void.reason for attempt in found.ceremonies[4].failed for void in attempt.void} >= {"OTHER_SHARE"}


def test_nothing_is_in_force_before_the_founding_is_final() -> None:
    found = replay_epochs([founding()], [])
    assert found.in_force is None
    assert not found.keys
    assert list(found.ceremonies) == [1]


@pytest.mark.parametrize(
    "beginnings",
    [
        [],
        [beginning(2, THREE, 2)],
        [beginning(1, THREE, 2, dealt_from=1)],
        [founding(), beginning(3, THREE, 2)],
        [founding(), beginning(2, THREE, 2, dealt_from=0)],
        [founding(), beginning(2, THREE, 2, dealt_from=2)],
        [founding(), beginning(2, THREE, 2, dealt_from=-1)],
        [founding(), replace(beginning(2, THREE, 2), consortium=bytes(32))],
    ],
)
def test_beginnings_that_do_not_follow_from_one_another_are_refused(beginnings: list[Beginning]) -> None:
    with pytest.raises(InvalidInput):
        replay_epochs(beginnings, [])


def test_a_beginning_is_the_manifests() -> None:
    agreed = manifest(3)
    first, third = Beginning.of(agreed), Beginning.of(agreed, 3, 1)
    assert (first.consortium, first.manifest, first.epoch, first.dealt_from) == (agreed.consortium, agreed.id, 1, 0)
    assert (first.custodians, first.threshold) == (agreed.custodians, agreed.threshold)
    assert (third.epoch, third.dealt_from) == (3, 1)
    assert Beginning.of(agreed, 3).dealt_from == 2
