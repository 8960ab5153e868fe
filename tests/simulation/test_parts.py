"""The simulator's own parts."""

from __future__ import annotations

import asyncio
import random

import pytest

from ledger.errors import Unready
from tests.simulation.disk import Disk, Faults
from tests.simulation.loop import Spins, Stuck, VirtualLoop, run
from tests.simulation.plan import Crash, Plan
from tests.simulation.runner import main
from tests.simulation.scale import measure
from tests.simulation.shrink import shrunk
from tests.simulation.truth import singles_out


def test_an_hour_takes_no_time():
    loop = VirtualLoop(lambda process: 0.0)
    run(loop, asyncio.sleep(3600))
    assert loop.now == 3600


def test_waiting_for_ever_is_noticed():
    with pytest.raises(Stuck):
        run(VirtualLoop(lambda process: 0.0), asyncio.Event().wait())


def test_going_on_for_ever_is_noticed():
    async def spin():
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)

    with pytest.raises(Spins):
        run(VirtualLoop(lambda process: 0.0), spin())


pytestmark = pytest.mark.timeout(300)


def written(seed: int) -> Disk:
    """A disk with one synced write, then three that are not, and no power since."""
    rng = random.Random(seed)
    disk = Disk(Faults(rng), rng)
    store = disk.open()
    store.write([(b"synced", b"1")])
    for number in range(3):
        store.write([(b"%d" % number, b"x"), (b"last", b"%d" % number)], sync=False)
    disk.power_off()
    with pytest.raises(Unready):
        store.get(b"synced")
    return disk


def test_a_crash_leaves_what_was_synced_and_a_first_part_of_the_rest():
    left = [written(seed).image() for seed in range(40)]
    assert all(image[b"synced"] == b"1" for image in left)
    parts = {tuple(sorted(image)) for image in left}
    assert parts == {
        (b"synced",),
        (b"0", b"last", b"synced"),
        (b"0", b"1", b"last", b"synced"),
        (b"0", b"1", b"2", b"last", b"synced"),
    }
    assert all(image.get(b"last", b"none") in (b"none", b"%d" % (len(image) - 3)) for image in left)


def test_a_write_that_fails_may_be_kept():
    rng = random.Random(1)
    faults = Faults(rng)
    faults.error_rate = 1.0
    disk = Disk(faults, rng)
    store = disk.open()
    for number in range(20):
        with pytest.raises(Unready):
            store.write([(b"%d" % number, b"x")])
    assert 0 < len(disk.image()) < 20


def test_what_answers_single_out():
    everybody, without = frozenset("abc"), frozenset("ab")
    assert singles_out([everybody], 2) is None
    assert singles_out([everybody, without], 2) == frozenset("c")
    assert singles_out([frozenset("ab"), frozenset("bc"), frozenset("ac")], 2) is not None
    assert singles_out([frozenset("ab"), frozenset("bc")], 2) is None
    assert singles_out([frozenset("abc"), frozenset("a")], 3) is not None


def test_a_plan_shrinks_to_what_matters():
    events = tuple(Crash(float(number), f"lender-{number % 3}", 1.0) for number in range(20))
    plan = Plan(seed=1, members=3, seconds=20.0, ceremony=False, events=events)
    matter = {events[4], events[17]}
    assert set(shrunk(plan, lambda smaller: matter <= set(smaller.events)).events) == matter


def test_one_command_runs_seeds(capsys):
    assert main(["--seeds", "2", "--from", "40"]) == 0
    assert "2 seeds, 0 failed" in capsys.readouterr().out


def test_many_members_agree():
    scale = measure(8)
    assert scale.first < 5.0
    assert scale.one < 2.0
    assert 0 < scale.idle_each < 1e6
