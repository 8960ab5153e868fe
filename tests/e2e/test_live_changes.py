"""The consortium changes under way: nodes go on, questions are answered, feeds are taken, and no figure is lost.

The tests of this file are chapters of one story and run in order.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2

from ledger.errors import PlimsollError
from tests.cluster import Cluster, free_ports
from tests.e2e.commands import pass_change, plimsoll, wait_in_force
from tests.e2e.feeds import row

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

FOUNDERS = ("lender-1", "lender-2", "lender-3", "lender-4")
NEW = itertools.count(1)
POLICY = {"queries_per_borrower": 1000, "inquiry_seconds": 10, "heartbeat_seconds": 1, "gossip_seconds": 1}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.found(tmp_path_factory.mktemp("changes"), 4, policy=POLICY) as cluster:
        cluster.start()
        cluster.wait_ready()
        yield cluster


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where answers are kept."""
    return tmp_path_factory.mktemp("saved")


class Traffic:
    """Questions and feeds of one member's loan system, one after the other for as long as it runs."""

    def __init__(self, cluster: Cluster, member: str) -> None:
        self._cluster, self._member = cluster, member
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answered = 0
        self.failed: list[PlimsollError] = []

    def _run(self) -> None:
        amount = itertools.count(1_000)
        while not self._stop.is_set():
            try:
                self._cluster.report(self._member, [row("test:traffic", next(amount))])
                self._cluster.ask(self._member, "test:traffic")
                self.answered += 1
            except PlimsollError as error:
                self.failed.append(error)
            time.sleep(0.02)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def borrower_at(cluster: Cluster, *members: str) -> str:
    """A new borrower with 10,000.00 outstanding at each of these."""
    borrower = f"test:{next(NEW)}"
    for member in members:
        cluster.report(member, [row(borrower, 1_000_000)])
    cluster.wait_same_heads()
    return borrower


def outstanding(cluster: Cluster, member: str, borrower: str) -> int:
    answer = cluster.ask(member, borrower)
    assert not answer.withheld, answer.withheld
    return int(answer.amounts.outstanding)


def wait_epoch(cluster: Cluster, epoch: int, *members: str) -> None:
    for member in members:

        def has_it(member: str = member) -> bool:
            keys = cluster.status(member).keys
            return bool(keys.epoch == epoch and (keys.holds_shares or not keys.custodian))

        cluster.wait_until(has_it, f"{member} holds its shares of epoch {epoch}", 150)


def public_keys(cluster: Cluster, member: str) -> list[str]:
    return list(cluster.status(member).keys.public_keys)


def test_a_policy_changes_while_questions_and_feeds_go_on(cluster: Cluster) -> None:
    pids = {member: cluster.process(member).pid for member in FOUNDERS}
    with Traffic(cluster, "lender-1") as traffic:
        identity = pass_change(cluster, "--policy", "grace_days=11", voters=FOUNDERS[:3], by="lender-2")
        wait_in_force(cluster, identity, *FOUNDERS)
        time.sleep(1)
    assert traffic.failed == []
    assert traffic.answered > 5
    assert pids == {member: cluster.process(member).pid for member in FOUNDERS}


def save(cluster: Cluster, folder: Path, name: str, borrower: str) -> None:
    """lender-1 asks, and keeps the answer with its proof."""
    answer = cluster.ask("lender-1", borrower, entry_pb2.PURPOSE_PRE_LOAN, lender_pb2.TRANSCRIPT_FORM_FULL)
    (folder / name).write_bytes(answer.transcript)


def test_an_answer_is_saved_with_its_proof(cluster: Cluster, saved: Path) -> None:
    save(cluster, saved, "early.json", borrower_at(cluster, "lender-2", "lender-4"))


def test_a_lender_joins_and_its_claims_count(cluster: Cluster, tmp_path: Path) -> None:
    borrower = borrower_at(cluster, "lender-2", "lender-3")
    (port,) = free_ports(1)
    folder, name = cluster.home_folder("lender-5"), "lender-5"
    cluster._run([["--home", str(folder), "init", "--member", name, "--address", f"127.0.0.1:{port}"]])
    cluster._run([["--home", str(folder), "card", "-o", str(tmp_path / "card")]])
    with Traffic(cluster, "lender-1") as traffic:
        identity = pass_change(cluster, "--add", tmp_path / "card", voters=FOUNDERS[1:], by="lender-1")
        wait_in_force(cluster, identity, *FOUNDERS)
        plimsoll(cluster, "lender-3", "lineage", "-o", tmp_path / "lineage")
        cluster._run([["--home", str(folder), "join", str(tmp_path / "lineage")]])
        cluster.members = (*FOUNDERS, name)
        cluster.start(name)
        cluster.wait_ready(name)
        cluster.wait_until(lambda: cluster.status(name).state == "serving", "lender-5 serves")
        cluster.report(name, [row(borrower, 1_000_000)])
    assert traffic.failed == []
    cluster.wait_same_heads()
    assert outstanding(cluster, "lender-1", borrower) == 3_000_000
    assert outstanding(cluster, name, borrower) == 3_000_000


def test_shares_are_refreshed_under_way_and_the_old_ones_erased(cluster: Cluster) -> None:
    before = public_keys(cluster, "lender-1")
    old = {member: (cluster.home_folder(member) / "secrets/custody.sealed").read_bytes() for member in FOUNDERS}
    with Traffic(cluster, "lender-1") as traffic:
        identity = pass_change(cluster, "--refresh", voters=cluster.members[:4], by="lender-3")
        wait_in_force(cluster, identity, *cluster.members)
        wait_epoch(cluster, 2, *cluster.members)
        time.sleep(2)
    assert traffic.failed == []
    for member in cluster.members:
        assert public_keys(cluster, member) == before
    borrower = borrower_at(cluster, *cluster.members)
    assert outstanding(cluster, "lender-4", borrower) == 5_000_000
    for member in FOUNDERS:
        cluster.wait_until(
            lambda member=member: '"epoch": 1, "event": "shares erased"' in cluster.log_text(member),  # type: ignore[misc]
            f"{member} erases its old shares",
        )
        assert (cluster.home_folder(member) / "secrets/custody.sealed").read_bytes() != old[member]


def test_a_custodian_that_lost_its_shares_gets_new_ones(cluster: Cluster) -> None:
    cluster.stop("lender-2")
    (cluster.home_folder("lender-2") / "secrets/custody.sealed").unlink()
    cluster.start("lender-2")
    cluster.wait_until(lambda: bool(cluster.status("lender-2").keys.public_keys), "lender-2 knows the keys")
    cluster.wait_until(lambda: any("lost its shares" in each for each in cluster.status("lender-2").alerts), "alert")
    assert not cluster.status("lender-2").keys.holds_shares
    borrower = borrower_at(cluster, "lender-1", "lender-3")
    assert outstanding(cluster, "lender-2", borrower) == 2_000_000  # the others suffice
    pass_change(cluster, "--refresh", voters=cluster.members[:4], by="lender-2")
    wait_epoch(cluster, 3, *cluster.members)
    assert outstanding(cluster, "lender-4", borrower) == 2_000_000


def test_the_custodians_change(cluster: Cluster) -> None:
    custodians = ("lender-5", "lender-1", "lender-3")
    chosen = [option for name in custodians for option in ("--custodian", name)]
    with Traffic(cluster, "lender-1") as traffic:
        pass_change(cluster, *chosen, "--threshold", 2, voters=cluster.members[:4], by="lender-1")
        wait_epoch(cluster, 4, *cluster.members)
        time.sleep(1)
    assert traffic.failed == []
    for member in cluster.members:
        keys = cluster.status(member).keys
        assert (keys.custodian, keys.threshold) == (
            custodians.index(member) + 1 if member in custodians else 0,
            2,
        )
    borrower = borrower_at(cluster, "lender-2", "lender-4")
    assert outstanding(cluster, "lender-1", borrower) == 2_000_000


def test_a_member_changes_its_signing_keys_and_nothing_it_said_is_lost(cluster: Cluster, tmp_path: Path) -> None:
    borrower = borrower_at(cluster, "lender-2", "lender-3")
    assert outstanding(cluster, "lender-1", borrower) == 2_000_000
    assert cluster.ask("lender-3", borrower).lenders == 2
    plimsoll(cluster, "lender-3", "rekey", "--log", "--cosign", "-o", tmp_path / "card")
    identity = plimsoll(cluster, "lender-3", "propose", "--yes", "--card", tmp_path / "card")["id"]
    late = f"test:{next(NEW)}"
    cluster.report("lender-3", [row(late, 700_000)])  # behind the end of the old log
    with Traffic(cluster, "lender-1") as traffic:
        for member in ("lender-3", "lender-1", "lender-2", "lender-5"):
            cluster.wait_until(
                lambda member=member: any(  # type: ignore[misc]
                    each["id"] == identity for each in plimsoll(cluster, member, "proposals")["proposals"]
                ),
                "listed",
                30,
            )
            plimsoll(cluster, member, "approve", "--yes", identity)
        wait_in_force(cluster, identity, "lender-1", "lender-2", "lender-5")
        cluster.wait_ended("lender-3")  # its new keys take the passphrase
        cluster.restart("lender-3")
        cluster.wait_until(lambda: cluster.status("lender-3").state == "serving", "lender-3 serves")
    assert traffic.failed == []
    assert cluster.home("lender-3").manifest().origin("lender-3").endswith("/lender-3.2")
    cluster.report("lender-3", [row(borrower, 1_500_000)])
    cluster.report("lender-2", [row(late, 300_000)])
    cluster.wait_same_heads()
    assert outstanding(cluster, "lender-4", borrower) == 2_500_000
    assert outstanding(cluster, "lender-5", late) == 1_000_000
    assert cluster.ask("lender-3", borrower).lenders == 2


def test_a_member_leaves_and_counts_no_more(cluster: Cluster) -> None:
    borrower = borrower_at(cluster, "lender-2", "lender-3", "lender-4")
    assert outstanding(cluster, "lender-1", borrower) == 3_000_000
    staying = tuple(member for member in cluster.members if member != "lender-4")
    with Traffic(cluster, "lender-1") as traffic:
        identity = pass_change(cluster, "--remove", "lender-4", voters=staying, by="lender-5")
        wait_in_force(cluster, identity, *staying)
        cluster.wait_ended("lender-4")
        time.sleep(1)
    assert traffic.failed == []
    answer = cluster.ask("lender-1", borrower)
    assert answer.lenders == 2
    with pytest.raises(PlimsollError):
        cluster.ask("lender-4", borrower)


def test_an_audit_passes_after_all_that_with_answers_from_all_the_time(cluster: Cluster, saved: Path) -> None:
    save(cluster, saved, "late.json", borrower_at(cluster, "lender-2", "lender-3"))
    cluster.wait_same_heads()
    files = [option for path in sorted(saved.iterdir()) for option in ("--transcript", path)]
    report = plimsoll(cluster, "lender-5", "audit", "run", *files)
    assert (report["verdict"], report["findings"]) == ("ok", [])
    assert [each["verdict"] for each in report["transcripts"]] == ["ok", "ok"]
    assert len(report["manifests"]) > 6
    assert {each["phase"] for each in report["epochs"]} == {"final"}
    assert {log["member"] for log in report["logs"] if log["ended"] is not None} == {"lender-3", "lender-4"}
    assert sorted(report["heads_from"]) == ["lender-1", "lender-2", "lender-3", "lender-5"]


def test_no_node_met_an_error_it_did_not_expect(cluster: Cluster) -> None:
    cluster.check_logs()
