"""Partitions between namespaces: who can still answer, what stops, and that all of it comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ledger.errors import PlimsollError, Unavailable
from tests.cluster import Cluster
from tests.e2e.conftest import FULL, FULL_REASON
from tests.e2e.feeds import row
from tests.faults.conftest import FIVE
from tests.faults.namespaces import Namespaces

MAJORITY, MINORITY = FIVE[:3], FIVE[3:]
#: Every connection notices within 40 s that its peer is gone, and backs off a while; and machines are busy.
HEALING = 90.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory, network: Namespaces, dlog_table: None) -> Iterator[Cluster]:
    policy = {"heartbeat_seconds": 2, "queries_per_borrower": 100}
    with Cluster.found(tmp_path_factory.mktemp("five"), 5, policy=policy, network=network) as cluster:
        cluster.start()
        cluster.wait_ready(timeout=120)
        yield cluster
        cluster.check_logs()


@pytest.fixture
def five(consortium: Cluster, network: Namespaces) -> Iterator[Cluster]:
    """Left as it was found. Each test has a borrower of its own."""
    yield consortium
    network.heal()


def publish(cluster: Cluster, member: str, amount: int, borrower: str) -> None:
    """Of one borrower. Everybody's amounts stay in one order of magnitude, so that sums tell who is in them."""
    assert cluster.report(member, [row(borrower, amount * 10 ** FIVE.index(member), credit_limit=9)]).published == 1


def outstanding(cluster: Cluster, member: str, borrower: str) -> int:
    """As a member is told; digit by digit what each of the five has out."""
    return cluster.ask(member, borrower).amounts.outstanding


def witnessed(cluster: Cluster, *members: str) -> bool:
    """Whether, as each of these sees it, every log is witnessed up to its end."""
    return all(log.witnessed_size == log.size for member in members for log in cluster.status(member).logs)


def unreachable(cluster: Cluster, member: str) -> set[str]:
    return {peer.member for peer in cluster.status(member).peers if not peer.reachable}


def all_well(cluster: Cluster) -> bool:
    """What an operator wants to see, at every node."""
    states = [cluster.status(member) for member in FIVE]
    return all(
        state.state == "serving"
        and not state.alerts
        and all(peer.reachable for peer in state.peers)
        and not any(log.problem or log.frozen or log.known_size > log.size for log in state.logs)
        for state in states
    )


def test_the_majority_answers_the_minority_says_who_is_missing_and_all_heal(five: Cluster, network: Namespaces) -> None:
    for member in FIVE:
        publish(five, member, 1, "test:1")
    five.wait_same_heads()
    five.wait_until(lambda: witnessed(five, *FIVE), "all logs are witnessed")
    assert outstanding(five, "lender-1", "test:1") == 11_111

    network.part(MAJORITY, MINORITY)
    publish(five, "lender-1", 2, "test:1")
    publish(five, "lender-4", 2, "test:1")  # lending goes on; the others hear of it later
    five.wait_until(lambda: len({five.sizes(member)["lender-1"] for member in MAJORITY}) == 1, "the majority has it")
    assert outstanding(five, "lender-2", "test:1") == 11_112
    with pytest.raises(Unavailable) as refused:
        outstanding(five, "lender-4", "test:1")
    assert any(member in refused.value.message for member in MAJORITY), refused.value.message
    five.wait_until(lambda: unreachable(five, "lender-4") == set(MAJORITY), "the minority sees who is gone")
    five.wait_until(lambda: unreachable(five, "lender-1") == set(MINORITY), "the majority does")
    time.sleep(6)  # three heartbeats
    for member in FIVE:
        assert not witnessed(five, member)  # three cosignatures besides the author's take four members
    assert outstanding(five, "lender-3", "test:1") == 11_112

    network.heal()
    started = time.monotonic()
    five.wait_same_heads(HEALING)
    five.wait_until(lambda: all_well(five) and witnessed(five, *FIVE), "nothing is left of it", HEALING)
    print(f"healed in {time.monotonic() - started:.1f} s")
    for member in FIVE:
        assert outstanding(five, member, "test:1") == 12_112


def test_a_node_started_in_the_minority_signs_nothing_until_the_partition_ends(
    five: Cluster, network: Namespaces
) -> None:
    publish(five, "lender-5", 1, "test:2")
    five.wait_same_heads()
    network.part(MAJORITY, MINORITY)
    five.kill("lender-5")
    five.start("lender-5")
    five.wait_until(lambda: five.status("lender-5").state == "read-only", "it may not sign")
    with pytest.raises(PlimsollError) as refused:
        publish(five, "lender-5", 2, "test:2")
    assert refused.value.reason == "UNCONFIRMED_LOG"
    network.heal()
    five.wait_until(lambda: five.status("lender-5").state == "serving", "it may", HEALING)
    publish(five, "lender-5", 2, "test:2")
    five.wait_same_heads(HEALING)


def test_with_a_fifth_of_all_packets_lost_feeds_and_queries_get_through(five: Cluster, network: Namespaces) -> None:
    network.lose(0.2)
    for member in FIVE:
        publish_somehow(five, member, "test:3")
    five.wait_same_heads(HEALING)
    deadline = time.monotonic() + HEALING
    while (told := try_outstanding(five, "test:3")) != 11_111:
        assert told is None
        assert time.monotonic() < deadline
    assert network.lost() > 50
    network.heal()
    five.wait_until(lambda: all_well(five), "all is well", HEALING)


def publish_somehow(cluster: Cluster, member: str, borrower: str) -> None:
    """As a loan system does: again until it is acknowledged."""
    amount = 10 ** FIVE.index(member)

    def acknowledged() -> bool:
        try:
            return cluster.report(member, [row(borrower, amount, credit_limit=9)]).accepted == 1
        except PlimsollError:
            return False

    cluster.wait_until(acknowledged, "a feed is acknowledged", HEALING)


def try_outstanding(cluster: Cluster, borrower: str) -> int | None:
    try:
        return outstanding(cluster, "lender-1", borrower)
    except Unavailable:
        return None


@pytest.mark.skipif(not FULL, reason=FULL_REASON)
def test_a_log_that_is_silent_for_a_minute_is_marked_stale_until_it_speaks(five: Cluster, network: Namespaces) -> None:
    for member in FIVE:
        publish(five, member, 1, "test:4")
    five.wait_same_heads()
    network.part(FIVE[:4], FIVE[4:])

    def stale() -> set[str]:
        return {log.member for log in five.ask("lender-1", "test:4").logs if log.stale}

    time.sleep(63)
    assert stale() == {"lender-5"}
    assert outstanding(five, "lender-1", "test:4") == 11_111  # it counts as it was
    network.heal()
    five.wait_until(lambda: all_well(five), "all is well", HEALING)
    assert stale() == set()
