"""Every log's newest head is witnessed within seconds, whoever is away; who was away learns it from the others. And so
is the log of an author that wants nothing of the kind: forked, it counts at what all had seen of it."""

from __future__ import annotations

from contextlib import suppress

import grpc
import pytest
from plimsoll.v1 import lender_pb2, operator_pb2

from tests.cluster import Cluster
from tests.e2e.conftest import Found
from tests.e2e.feeds import row
from tests.e2e.impostor import Impostor

BEAT = 1
HIDER, OTHERS = "lender-5", ("lender-1", "lender-2", "lender-3", "lender-4")
#: Seconds until a log is overdue, and those of the longest wait for a speaker that is there, and of its turn.
OVERDUE, TURNS = 5 * BEAT, 3 * 8 * BEAT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def five(found_module: Found) -> Cluster:
    cluster: Cluster = found_module(policy={"heartbeat_seconds": BEAT, "gossip_seconds": 1})
    cluster.start()
    cluster.wait_ready()
    return cluster


def log_of(cluster: Cluster, at: str, author: str) -> operator_pb2.LogStatus:
    return next(log for log in cluster.status(at).logs if log.member == author)


def all_witnessed(cluster: Cluster, *authors: str) -> bool:
    """Whether each node that runs knows that all it holds of these authors' logs has been witnessed."""
    logs = [log_of(cluster, at, author) for at in cluster.running for author in authors]
    return all(log.witnessed_size == log.size == log.known_size for log in logs)


def test_what_is_appended_is_witnessed_everywhere_within_a_few_beats(five: Cluster) -> None:
    assert five.report("lender-1", [row(f"test:7100{number}", 1_000_000) for number in range(20)]).published == 20
    five.wait_until(lambda: all_witnessed(five, *five.members), "all logs are witnessed at all nodes", 15 * BEAT)
    assert all(log_of(five, at, "lender-1").witnessed_size >= 20 for at in five.members)


def test_heads_of_idle_logs_stay_fresh(five: Cluster) -> None:
    five.wait_until(lambda: all_witnessed(five, *five.members), "all logs are witnessed", 15 * BEAT)
    for at in five.members:
        assert all(0 <= log.head_age_seconds <= 3 * BEAT + 2 for log in five.status(at).logs)


def test_a_report_says_how_fresh_each_lender_is(five: Cluster) -> None:
    five.report("lender-1", [row("test:710100", 1_000_000)])
    five.report("lender-2", [row("test:710100", 2_000_000)])
    five.wait_same_heads()
    answer: lender_pb2.ExposureResponse = five.ask("lender-3", "test:710100")
    assert [log.member for log in answer.logs] == list(five.members)
    for log in answer.logs:
        assert not log.stale
        assert not log.frozen
        assert log.head_age_seconds <= 3 * BEAT + 2
        assert 0 < log.witnessed_size <= log.size


def test_absent_witnesses_stop_no_log_and_learn_what_they_missed(five: Cluster) -> None:
    five.kill("lender-5")
    assert five.report("lender-1", [row("test:710200", 1_000_000)]).published == 1
    five.wait_until(lambda: all_witnessed(five, "lender-1"), "witnessed without lender-5", 15 * BEAT)
    five.kill("lender-4")  # now too few are left to witness anything
    before = log_of(five, "lender-1", "lender-1").witnessed_size
    assert five.report("lender-1", [row("test:710201", 1_000_000)]).published == 1
    five.wait_until(
        lambda: log_of(five, "lender-2", "lender-5").head_age_seconds > 3 * BEAT, "silence shows", 10 * BEAT + 5
    )
    assert log_of(five, "lender-1", "lender-1").witnessed_size == before < log_of(five, "lender-1", "lender-1").size
    five.restart("lender-4", "lender-5")
    five.wait_until(lambda: all_witnessed(five, *five.members), "all are witnessed again", 30)
    for at in ("lender-4", "lender-5"):
        assert log_of(five, at, "lender-1").witnessed_size > before


def test_what_was_witnessed_is_still_known_after_a_restart(five: Cluster) -> None:
    five.wait_until(lambda: all_witnessed(five, *five.members), "all logs are witnessed", 15 * BEAT)
    sizes = [log.witnessed_size for log in five.status("lender-2").logs]
    five.kill(*five.members)
    five.start("lender-2")  # alone: it can neither sign nor ask
    five.wait_until(lambda: five.status("lender-2").state == "read-only", "lender-2 is up", 30)
    assert [log.witnessed_size for log in five.status("lender-2").logs] == sizes


def withheld(hider: Impostor, number: int) -> int:
    """Publishes a position, looks alive, and keeps to itself what is cosigned for it; the log's size."""
    hider.publish(hider.position(f"test:71030{number}", hider.amounts(1_000_000 + number)))
    for server in OTHERS[:number]:
        with suppress(grpc.RpcError):  # it went back: unasked it has cosigned more
            hider.beat(server)
    return int(hider.log.size)


def test_an_author_that_keeps_its_cosignatures_and_forks_counts_at_what_all_had_seen(five: Cluster) -> None:
    five.restart("lender-1", "lender-3", "lender-4")
    hider = Impostor(five, HIDER, OTHERS)
    for number in (4, 1, 0):  # all are asked, one is, nobody is
        size = withheld(hider, number)
        assert all(log_of(five, at, HIDER).size == size for at in OTHERS)

        def is_witnessed(size: int = size) -> bool:
            return all(log_of(five, at, HIDER).witnessed_size == size for at in OTHERS)

        five.wait_until(is_witnessed, f"witnessed without its author, which has asked {number}", OVERDUE + TURNS + 20)
    other = hider.forked(1)
    other.append(other.evaluation([bytes(31) + b"\2"]))
    with suppress(grpc.RpcError):
        other.push("lender-3", other.block(1))
    five.wait_until(lambda: all(log_of(five, at, HIDER).frozen for at in OTHERS), "all have frozen it", 20)
    assert all(log_of(five, at, HIDER).witnessed_size == hider.log.size for at in OTHERS)
    for number in (4, 1, 0):
        answer: lender_pb2.ExposureResponse = five.ask("lender-1", f"test:71030{number}")
        assert answer.lenders == 1, "its debts count"
        (log,) = (log for log in answer.logs if log.member == HIDER)
        assert (log.frozen, log.size, log.witnessed_size) == (True, hider.log.size, hider.log.size)
