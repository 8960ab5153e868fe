"""A node whose clock is off: it harms itself alone, everybody can see which one it is, and nothing has to be mended."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from ledger.errors import PlimsollError
from tests.cluster import Cluster
from tests.e2e.feeds import row

MINE, SECOND, SLOW = "lender-1", "lender-2", "lender-3"
#: Seconds; an inquiry may be 120 off.
BEHIND = 600

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, dlog_table: None) -> Iterator[Cluster]:
    policy = {"queries_per_borrower": 100, "heartbeat_seconds": 2}
    with Cluster.found(tmp_path_factory.mktemp("clocks"), 3, policy=policy) as cluster:
        right = cluster.program
        cluster.start(MINE, SECOND)
        cluster.program = [sys.executable, "-m", "tests.faults.odd_node", "0", str(-BEHIND)]
        cluster.start(SLOW)
        cluster.program = right
        cluster.wait_ready(timeout=120)
        yield cluster
        cluster.check_logs()


def outstanding(cluster: Cluster, member: str) -> int:
    return cluster.ask(member, "test:1").amounts.outstanding


def test_a_node_ten_minutes_behind_stops_nobody_is_seen_and_is_well_once_its_clock_is_right(three: Cluster) -> None:
    for place, member in enumerate((MINE, SECOND)):
        assert three.report(member, [row("test:1", 10**place)]).published == 1
    with pytest.raises(PlimsollError) as refused:
        three.report(SLOW, [row("test:1", 100)])  # to find its labels takes the others' evaluations
    assert refused.value.reason == "STALE"
    assert "clock" in refused.value.message
    three.wait_same_heads()
    with pytest.raises(PlimsollError) as refused:
        outstanding(three, SLOW)
    assert refused.value.reason == "STALE"
    three.wait_until(lambda: heartbeat(three, MINE) >= BEHIND, "its heartbeats are old when they come")
    answer = three.ask(MINE, "test:1")
    assert answer.lenders == 2
    assert [log.member for log in answer.logs if log.stale] == [SLOW]
    assert all(peer.reachable for peer in three.status(MINE).peers)

    three.stop(SLOW)
    three.restart(SLOW)
    assert three.report(SLOW, [row("test:1", 100)]).published == 1
    three.wait_same_heads()
    three.wait_until(lambda: heartbeat(three, MINE) < 60, "its heartbeats are new")
    assert outstanding(three, SLOW) == 111
    assert not [log.problem for log in three.status(MINE).logs if log.problem]


def heartbeat(cluster: Cluster, member: str) -> int:
    """Seconds since the slow node's last one, as another's operator sees it."""
    return next(log.head_age_seconds for log in cluster.status(member).logs if log.member == SLOW)
