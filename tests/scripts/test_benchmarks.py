"""The benchmark's own arithmetic: a wrong quantile or a bound on the wrong side would flatter every figure."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from pathlib import Path

import pytest
from plimsoll.v1 import audit_pb2

from ledger.chain.entries import MAX_ENTRY, Kind, file_entry, parse_entry
from ledger.chain.memory_store import MemoryStore
from scripts.benchmarks import __main__ as bench
from scripts.benchmarks import machine, synthetic
from scripts.benchmarks.figure import Figure, Yardstick
from scripts.benchmarks.heads import size_of
from scripts.benchmarks.measure import Lap, alternate, paired, quantile, spread, time_lap, together
from scripts.benchmarks.sodium import Calls
from scripts.benchmarks.watch import Sightings, Watch, delay


def test_a_quantile_is_the_smallest_value_that_covers_the_share() -> None:
    values = list(range(1, 101))
    random.Random(1).shuffle(values)
    assert [quantile(values, share) for share in (0.0, 0.01, 0.5, 0.9, 0.99, 1.0)] == [1, 1, 50, 90, 99, 100]
    assert quantile([7.0], 0.99) == 7.0
    assert quantile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert spread(values) == {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100, "count": 100}


def test_a_slow_moment_that_hits_both_leaves_the_ratio_as_it_is() -> None:
    subject = [Lap(10, seconds) for seconds in (1.0, 9.0, 1.0)]
    yardstick = [Lap(30, seconds) for seconds in (1.0, 9.0, 1.0)]
    assert paired(subject, yardstick) == pytest.approx(1 / 3)


def test_time_that_others_had_the_cores_does_not_count() -> None:
    assert Lap(100, 3.0, held_up=1.0).rate == 50.0


def test_steps_one_after_the_other_take_their_times_together() -> None:
    assert together(100.0, 100.0) == pytest.approx(50.0)
    assert together(60_000.0) == pytest.approx(60_000.0)


def test_every_work_has_its_laps_in_changing_order_and_warm_up_counts_not() -> None:
    order: list[str] = []

    def work(name: str):
        def prepare():
            order.append(f"prepare {name}")
            return timed

        def timed() -> int:
            order.append(name)
            return 5

        return prepare

    laps = alternate({"a": work("a"), "b": work("b")}, rounds=4, warm_up=2)
    assert [[lap.items for lap in laps[name]] for name in "ab"] == [[5] * 4, [5] * 4]
    assert [name for name in order if "prepare" not in name] == ["a", "b", "b", "a"] * 3
    assert all(order[at] == f"prepare {order[at + 1]}" for at in range(0, len(order), 2))


def test_preparing_a_lap_is_not_timed() -> None:
    def prepare():
        time.sleep(0.1)
        return lambda: 1

    assert time_lap(prepare).wall < 0.1


def test_a_target_is_scaled_by_how_fast_the_yardstick_is_here() -> None:
    yardstick = Yardstick("bare", 500.0, 0.5, design=1000.0)
    figure = Figure("x", 250.0, "records/s", target=400.0, yardsticks=[yardstick])
    assert figure.fair == 200.0
    assert figure.score(figure.target) == 0.625
    assert figure.score(figure.fair) == 1.25
    assert Figure("x", 1.0, "records/s", 2.0, [Yardstick("unknown there", 5.0, 0.2)]).fair is None


def test_of_a_latency_less_is_better() -> None:
    assert Figure("x", 40.0, "ms", target=20.0).score(20.0) == 0.5
    assert Figure("x", 0.4, "share", target=0.8).score(0.8) == 0.5


def test_a_delay_is_never_told_too_short() -> None:
    """Whatever moments the polls fall on, the true delay lies between the two bounds."""
    dice = random.Random(7)
    for _ in range(200):
        truth = [0.3, *(0.3 + dice.random() / 10 for _ in range(4))]
        seen = []
        for moment in truth:
            polls, now = Sightings(), 0.0
            while now < 0.6:
                sent, served = now, now + dice.random() / 100
                now = served + dice.random() / 100
                polls.seen.append((sent, now, 9 if served >= moment else 3))
                now += dice.random() / 50
            seen.append(polls)
        found = delay(seen[0], seen[1:], 9)
        assert found is not None
        true = max(truth[1:]) - truth[0]
        assert found.longest - found.uncertain <= true <= found.longest


def test_what_was_not_seen_to_arrive_has_no_delay() -> None:
    before, after = Sightings([(0.0, 0.1, 1), (0.2, 0.3, 2)]), Sightings([(0.2, 0.3, 2)])
    assert delay(before, [before], 2) is not None
    assert delay(before, [after], 2) is None  # it had it at the first question
    assert delay(before, [before], 3) is None  # it never did
    assert before.size == 2
    assert Sightings().size == 0


async def test_watched_nodes_are_asked_when_they_have_written(tmp_path: Path) -> None:
    nodes = {name: FakeNode(tmp_path / name) for name in ("author", "fast", "slow")}
    watch = Watch({name: (node, node.folder) for name, node in nodes.items()})
    with watch.looking("log"):
        await watch.wait_for(1)
        await asyncio.sleep(0.3)  # nothing happens: nobody is asked for ever
        asked = [node.asked for node in nodes.values()]
        await asyncio.sleep(0.1)
        assert [node.asked for node in nodes.values()] == asked
        for name, pause in (("author", 0.02), ("fast", 0.05), ("slow", 0.0)):
            await nodes[name].grow(2)
            await asyncio.sleep(pause)
        await watch.wait_for(2)
    found = watch.delay("author", 2)
    assert found is not None
    true = nodes["slow"].grown - nodes["author"].grown
    assert found.longest - found.uncertain <= true <= found.longest < 10


class FakeNode:
    """A log of one entry, and then as long as it is told, some time after it was written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.size, self.asked, self.grown = 1, 0, 0.0
        self._wal = folder / "000003.log"
        self._wal.write_bytes(b"1")

    async def grow(self, size: int) -> None:
        self._wal.write_bytes(b"11")
        await asyncio.sleep(0.005)
        self.size, self.grown = size, time.perf_counter()

    async def LatestHeads(self, request: audit_pb2.LatestHeadsRequest) -> audit_pb2.LatestHeadsResponse:  # noqa: N802
        self.asked += 1
        await asyncio.sleep(0.001)
        return audit_pb2.LatestHeadsResponse(heads=[f"log\n{self.size}\nroot\n".encode()])


def test_synthetic_entries_are_sound_positions_each_under_a_label_of_its_own() -> None:
    entries = synthetic.entries(50)
    for entry in entries:
        parse_entry(entry)
        assert 900 < len(entry) < 1100 < MAX_ENTRY
    assert {file_entry(entry).code for entry in entries} == {Kind.POSITION}
    assert len({file_entry(entry).label for entry in entries}) == 50


def test_a_synthetic_log_has_as_many_entries_as_asked_for_under_a_head() -> None:
    own = synthetic.own_log(MemoryStore())
    assert list(synthetic.fill(own, 2300)) == [1000, 2000, 2300]
    assert own.log.head is not None
    assert own.log.head.head.size == own.size == 2300
    assert size_of([own.log.head.note.encode()], own.log.origin) == 2300
    assert size_of([own.log.head.note.encode()], "plimsoll/other") == 0


def test_the_bare_calls_are_made() -> None:
    assert Calls(base=1, other=2, additions=3).make(4) == 4


def test_the_cores_that_a_process_group_used_are_counted() -> None:
    sum(range(5_000_000))
    assert machine.cpu_seconds([os.getpgrp()]) > 0
    assert machine.cpu_seconds([]) == 0


def test_a_run_writes_its_figures_with_machine_targets_and_yardsticks(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    assert bench.main(["receipt", "--quick", "--dir", str(tmp_path), "-o", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["fsync"] is True
    assert result["machine"]["cores"] >= 1
    first, *_ = result["benchmarks"]["receipt"]["figures"]
    assert first["unit"] == "us"
    assert first["target"] == 25
    assert 0 < first["value"] < 10_000
    assert first["yardsticks"][0]["value"] < first["value"]
    assert list(tmp_path.iterdir()) == [out]
