"""A disk that stalls under one node: the others go on, it acknowledges nothing, and nothing is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.errors import PlimsollError
from ledger.homes import home as layout
from tests.cluster import Cluster
from tests.e2e.commands import plimsoll
from tests.e2e.feeds import row
from tests.faults.loopdisk import LoopDisk

STALLED, SECOND, THIRD = "lender-1", "lender-2", "lender-3"
RECOVERY = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def three(tmp_path: Path, disk: LoopDisk, dlog_table: None) -> Iterator[Cluster]:
    with Cluster.found(tmp_path / "three", 3, policy={"queries_per_borrower": 100}) as cluster:
        disk.move(cluster.home_folder(STALLED))
        with (cluster.home_folder(STALLED) / layout.CONFIG).open("a") as config:
            config.write("reserve_mib = 16\n")
        cluster.start()
        cluster.wait_ready(timeout=120)
        yield cluster
        cluster.check_logs()


def publish(cluster: Cluster, member: str, amount: int) -> None:
    assert cluster.report(member, [row("test:1", amount)]).accepted == 1


def outstanding(cluster: Cluster, member: str) -> int:
    return cluster.ask(member, "test:1").amounts.outstanding


def test_others_go_on_while_one_disk_stalls_and_it_catches_up(three: Cluster, disk: LoopDisk) -> None:
    for place, member in enumerate(three.members):
        publish(three, member, 10**place)
    three.wait_same_heads()
    acknowledged = threading.Event()

    def feed() -> None:
        publish(three, STALLED, 5)
        acknowledged.set()

    disk.stall()
    try:
        feeding = threading.Thread(target=feed, daemon=True)
        feeding.start()
        publish(three, SECOND, 20)
        three.wait_until(lambda: three.sizes(SECOND)[SECOND] == three.sizes(THIRD)[SECOND], "the others agree", 30)
        assert outstanding(three, THIRD) == 121
        three.wait_until(lambda: bool(three.status(STALLED).alerts), "its operator is told", 60)
        status = three.status(STALLED)
        assert (status.state, "the disk stalls" in status.alerts[0]) == ("read-only", True)
        assert not acknowledged.is_set()
    finally:
        disk.go_on()
    assert acknowledged.wait(RECOVERY)
    three.wait_same_heads(RECOVERY)
    for member in three.members:
        assert outstanding(three, member) == 125
    three.wait_until(lambda: not any(three.status(member).alerts for member in three.members), "all is well", 10)


def test_a_node_killed_before_a_stalled_disk_loses_nothing_it_acknowledged(three: Cluster, disk: LoopDisk) -> None:
    for place, member in enumerate(three.members):
        publish(three, member, 10**place)
    disk.stall()
    try:
        feeding = threading.Thread(target=in_vain, args=(three,), daemon=True)
        feeding.start()
        time.sleep(2)
        three.process(STALLED).kill()
    finally:
        disk.go_on()
    three.kill(STALLED)  # it waited for its disk to die
    feeding.join()
    assert plimsoll(three, STALLED, "fsck")["verdict"] == "ok"
    three.restart(STALLED)
    publish(three, STALLED, 7)
    three.wait_same_heads(RECOVERY)
    assert outstanding(three, SECOND) == 117


def in_vain(cluster: Cluster) -> None:
    with suppress(PlimsollError):
        publish(cluster, STALLED, 7)
