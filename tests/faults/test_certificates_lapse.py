"""Nodes whose certificates live for seconds go on as if nothing was; programs whose certificates lapse are refused."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client.credentials import Endpoint, endpoint_from_files
from client.sdk import Session
from ledger.errors import PlimsollError
from ledger.homes import home as layout
from node.homes.credentials import issue_credential
from tests.cluster import PASSPHRASE, Cluster
from tests.e2e.commands import plimsoll
from tests.e2e.feeds import row

#: Seconds that a node's certificate lives, and that it is watched for.
LIFE, WATCHED = 20, 50
MINE, SECOND, THIRD = "lender-1", "lender-2", "lender-3"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, dlog_table: None) -> Iterator[Cluster]:
    """Each has adopted the manifest, and has certificates for its people, but none yet for its node."""
    policy = {"queries_per_borrower": 1000}
    folder = tmp_path_factory.mktemp("lapsing")
    with Cluster.found(folder, 3, policy=policy) as cluster:
        for member in cluster.members:
            plimsoll(cluster, member, "adopt", cluster.manifest_file)
            (cluster.home_folder(member) / layout.certificate_file("node")).unlink()
        cluster.program = [sys.executable, "-m", "tests.faults.odd_node", str(LIFE), "0"]
        cluster.start()
        cluster.wait_ready(timeout=120)
        yield cluster
        cluster.check_logs()


def lapses(cluster: Cluster, member: str) -> datetime:
    return cluster.home(member).certificate("node").not_valid_after_utc


def test_running_nodes_renew_theirs_in_time_and_nobody_notices(three: Cluster) -> None:
    publish(three, MINE, 1)
    publish(three, SECOND, 20)
    first = {member: lapses(three, member) for member in three.members}
    started, amount = time.monotonic(), 1
    while time.monotonic() - started < WATCHED:
        amount += 1
        publish(three, MINE, amount)
        three.wait_until(lambda: len({three.sizes(member)[MINE] for member in three.members}) == 1, "all have it", 10)
        assert outstanding(three, THIRD) == 20 + amount
        time.sleep(1)
    for member in three.members:
        assert lapses(three, member) > first[member] + timedelta(seconds=LIFE)
        assert all(peer.reachable for peer in three.status(member).peers)
        assert '"certificate renewed"' in three.log_text(member)


def test_a_node_that_was_down_when_its_certificate_lapsed_comes_back(three: Cluster) -> None:
    three.stop(SECOND)
    time.sleep(max(0.0, (lapses(three, SECOND) - datetime.now(UTC)).total_seconds() + 1))
    three.restart(SECOND)
    publish(three, SECOND, 30)
    three.wait_same_heads()


def publish(cluster: Cluster, member: str, amount: int) -> None:
    assert cluster.report(member, [row("test:1", amount)]).accepted == 1


def outstanding(cluster: Cluster, member: str) -> int:
    return cluster.ask(member, "test:1").amounts.outstanding


def test_a_loan_system_is_refused_once_its_certificate_has_lapsed_and_gets_another(
    three: Cluster, tmp_path: Path
) -> None:
    issued = datetime.now(UTC) - timedelta(days=1) + timedelta(seconds=6)
    home = three.home(MINE)
    issue_credential(home, "lender", "loans", tmp_path / "old", PASSPHRASE, rng=os.urandom, now=issued, days=1)
    rows = [row("test:2", 700)]
    with Session(endpoint(three, tmp_path / "old")) as session:
        assert [each.summary.accepted for each in session.report([rows]) if each.HasField("summary")] == [1]
        time.sleep(8)
        with pytest.raises(PlimsollError) as refused:
            list(session.report([rows]))
        assert refused.value.reason == "EXPIRED_CERTIFICATE"
    with Session(endpoint(three, tmp_path / "old")) as session, pytest.raises(PlimsollError) as refused:
        list(session.report([rows]))
    assert refused.value.reason in ("UNREACHABLE", "EXPIRED_CERTIFICATE")
    plimsoll(three, MINE, "credential", "--role", "lender", "--name", "loans", "--out", tmp_path / "new", "--plain")
    with Session(endpoint(three, tmp_path / "new")) as session:
        assert [each.summary.unchanged for each in session.report([rows]) if each.HasField("summary")] == [1]


def endpoint(cluster: Cluster, folder: Path) -> Endpoint:
    """Towards lender-1, with the files in this folder."""
    names = {"certificate": "lender-loans.pem", "key": "lender-loans.key", "authority": "ca.pem"}
    files = {what: folder / name for what, name in names.items()}
    passphrase = str(cluster.passphrase_file)
    return endpoint_from_files(**files, address=cluster.address(MINE), passphrase_file=passphrase)
