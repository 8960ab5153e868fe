"""The key ceremony between real nodes: custodians that are late, killed and started again all end with their shares."""

from __future__ import annotations

import random
import time

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Found
from tests.e2e.feeds import row

PHASES = ("waiting-for-ready", "dealing", "closing", "confirming")
SEED = random.SystemRandom().getrandbits(32)

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(240)]


def wait_phase(cluster: Cluster, witness: str, phase: str) -> None:
    """Until the ceremony has reached this phase, as far as the witness can tell."""
    wanted = (*PHASES, "final").index(phase)
    cluster.wait_until(
        lambda: (seen := cluster.status(witness).keys.phase) == "final" or PHASES.index(seen or PHASES[0]) >= wanted,
        f"the ceremony is {phase}",
    )


def check_keys(cluster: Cluster, custodians: tuple[str, ...]) -> None:
    """Everybody knows the same keys, every custodian holds its shares, and what they decrypt is right."""
    statuses = [cluster.status(member) for member in cluster.members]
    assert len({tuple(status.keys.public_keys) for status in statuses}) == 1
    assert len(statuses[0].keys.public_keys) == 8
    assert {status.member for status in statuses if status.keys.holds_shares} == set(custodians)
    assert {status.keys.phase for status in statuses} == {"final"}
    for number, member in enumerate(cluster.members, 1):
        assert cluster.report(member, [row("test:000001", 1_000_000 * number)]).published == 1
    cluster.wait_same_heads()
    total = sum(1_000_000 * number for number in range(1, len(cluster.members) + 1))
    for member in cluster.members:
        answer = cluster.ask(member, "test:000001")
        assert answer.amounts.outstanding == total
        assert not answer.custodians_failed


def test_late_and_killed_custodians_all_end_with_their_shares(found: Found) -> None:
    """lender-5 comes five seconds late; three others are killed, each in a phase of its own."""
    print("seed", SEED)
    jitter = random.Random(SEED)
    cluster = found(5)
    cluster.start(*cluster.members[:4])
    wait_phase(cluster, "lender-1", "waiting-for-ready")
    time.sleep(jitter.uniform(0, 1))
    kill_and_start(cluster, "lender-2")
    time.sleep(5)
    assert not any(cluster.status(member).keys.holds_shares for member in ("lender-1", "lender-3", "lender-4"))
    assert "lender-5" in cluster.status("lender-1").keys.waiting_for
    cluster.start("lender-5")
    wait_phase(cluster, "lender-1", "dealing")
    time.sleep(jitter.uniform(0, 0.3))
    kill_and_start(cluster, "lender-3")
    wait_phase(cluster, "lender-1", "confirming")
    time.sleep(jitter.uniform(0, 4))
    kill_and_start(cluster, "lender-4")
    cluster.wait_ready(timeout=120)
    check_keys(cluster, cluster.members)
    survivors = cluster.members[1:4]  # those that were killed: their shares alone must do
    cluster.kill("lender-1", "lender-5")
    answer = cluster.ask(survivors[0], "test:000001")
    assert answer.amounts.outstanding == 15_000_000


def test_a_first_custodian_that_is_killed_again_and_again_holds_nobody_up(found: Found) -> None:
    """The one that closes and confirms first, killed in every phase; lender-5 is no custodian and only follows.

    In the end all are killed at once: everybody comes back with the keys there were, and needs nobody for them.
    """
    print("seed", SEED)
    jitter = random.Random(SEED + 1)
    custodians = ("lender-1", "lender-2", "lender-3", "lender-4")
    cluster = found(5, options=[f"--custodian={member}" for member in custodians])
    cluster.start()
    for phase in PHASES:
        wait_phase(cluster, "lender-2", phase)
        time.sleep(jitter.uniform(0, 0.5))
        kill_and_start(cluster, "lender-1")
    cluster.wait_ready(timeout=120)
    check_keys(cluster, custodians)
    before = list(cluster.status("lender-1").keys.public_keys)
    cluster.kill(*cluster.members)
    for member in custodians[:2]:
        cluster.restart(member)
        assert list(cluster.status(member).keys.public_keys) == before
        cluster.stop(member)


def kill_and_start(cluster: Cluster, member: str) -> None:
    cluster.kill(member)
    cluster.start(member)
