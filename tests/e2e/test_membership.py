"""The consortium changes itself: proposed and approved by commands, in force everywhere, on record for everybody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.lineage import open_lineage
from tests.cluster import PASSPHRASE, Cluster, free_ports

pytestmark = pytest.mark.process

MEMBERS = ("lender-1", "lender-2", "lender-3")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.found(tmp_path_factory.mktemp("membership"), 3) as cluster:
        cluster.start()
        cluster.wait_ready()
        yield cluster


def plimsoll(cluster: Cluster, member: str, *arguments: object, code: int = 0) -> Any:
    """The command at a member, --json: what it answers."""
    program = "import sys; from client.cli import main; sys.exit(main())"
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            program,
            "--home",
            str(cluster.home_folder(member)),
            "--json",
            *map(str, arguments),
        ],
        env=cluster.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout if code == 0 else done.stderr)


def in_force(cluster: Cluster, identity: str, *members: str) -> None:
    """Waits until these members' homes have this manifest."""
    for member in members:
        cluster.wait_until(lambda member=member: cluster.home(member).manifest().id.hex() == identity, "in force", 30)  # type: ignore[misc]


def listed(cluster: Cluster, member: str, identity: str) -> bool:
    return any(each["id"] == identity for each in plimsoll(cluster, member, "proposals")["proposals"])


def pass_change(cluster: Cluster, *change: object, voters: tuple[str, ...] = MEMBERS, by: str = "lender-1") -> str:
    """Proposed by one, approved by these; the successor's id once it is in force at all of them."""
    identity: str = plimsoll(cluster, by, "propose", "--yes", *change)["id"]
    for member in voters:
        cluster.wait_until(lambda member=member: listed(cluster, member, identity), "listed", 30)  # type: ignore[misc]
        plimsoll(cluster, member, "approve", "--yes", identity[:12])
    in_force(cluster, identity, *voters)
    return identity


def test_a_policy_is_changed_by_commands_and_in_force_everywhere(cluster: Cluster) -> None:
    before = cluster.home("lender-1").manifest()
    proposed = plimsoll(cluster, "lender-1", "propose", "--yes", "--policy", "queries_per_borrower=7")
    assert proposed["changes"][0] == "policy: queries_per_borrower = 3 -> 7"
    identity = proposed["id"]
    for number, member in enumerate(MEMBERS):
        cluster.wait_until(lambda member=member: listed(cluster, member, identity), "listed", 30)  # type: ignore[misc]
        (shown,) = plimsoll(cluster, member, "proposals")["proposals"]
        assert (shown["proposer"], shown["needed"]) == ("lender-1", 3)
        assert len(shown["approved"]) <= number
        assert cluster.home(member).manifest() == before
        approved = plimsoll(cluster, member, "approve", "--yes", identity)
        if member != MEMBERS[-1]:  # saying it again is the same approval
            assert plimsoll(cluster, member, "approve", "--yes", identity)["index"] == approved["index"]
    in_force(cluster, identity, *MEMBERS)
    for member in MEMBERS:
        lineage = cluster.home(member).lineage()
        assert lineage.current.policy.queries_per_borrower == 7
        assert [proof.member for proof in lineage.approvals[0]] == list(MEMBERS)
        assert plimsoll(cluster, member, "proposals")["proposals"] == []


def test_nobody_approves_two_successors_of_one_manifest(cluster: Cluster) -> None:
    one = plimsoll(cluster, "lender-1", "propose", "--yes", "--policy", "grace_days=11")["id"]
    two = plimsoll(cluster, "lender-1", "propose", "--yes", "--policy", "grace_days=12")["id"]
    plimsoll(cluster, "lender-1", "approve", "--yes", one)
    refused = plimsoll(cluster, "lender-1", "approve", "--yes", two, code=4)
    assert refused["error"]["reason"] == "APPROVED_ANOTHER"
    for member in MEMBERS[1:]:
        cluster.wait_until(lambda member=member: listed(cluster, member, one), "listed", 30)  # type: ignore[misc]
        plimsoll(cluster, member, "approve", "--yes", one)
    in_force(cluster, one, *MEMBERS)


def test_what_may_not_be_is_not_proposed(cluster: Cluster) -> None:
    for change, reason in (
        (("--policy", "bands=1,2,3,4,5"), "FIXED_TERM"),
        (("--policy", "min_contributors=9"), "OUT_OF_RANGE"),
        (("--remove", "lender-9"), "NOT_A_MEMBER"),
        (("--remove", "lender-3"), "OUT_OF_RANGE"),  # two are no consortium
    ):
        error = plimsoll(cluster, "lender-2", "propose", "--yes", *change, code=4 if reason == "FIXED_TERM" else 3)
        assert error["error"]["reason"] == reason
    assert plimsoll(cluster, "lender-2", "approve", "--yes", "0" * 64, code=5)["error"]["reason"] == "UNKNOWN_PROPOSAL"


def test_a_member_changes_its_address_and_ca_and_the_others_reach_it_there(cluster: Cluster, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    member, card = "lender-2", tmp_path / "card"
    old = cluster.home(member).authority()
    plimsoll(cluster, member, "rekey", "--tls", "--address", f"127.0.0.1:{port}", "-o", card)
    assert cluster.home(member).authority() == old
    plimsoll(cluster, member, "rekey", "--tls", code=4)  # they are there already
    identity = pass_change(cluster, "--card", card, by=member)
    cluster.stop(*cluster.running)
    config = cluster.home_folder(member) / "config.toml"
    text = config.read_text()
    config.write_text(text.replace(str(cluster.home(member).config.address), f"127.0.0.1:{port}"))
    cluster._endpoints.clear()
    cluster.restart(*MEMBERS)
    home = cluster.home(member)
    assert home.manifest().id.hex() == identity
    assert home.authority() != old
    assert home.staged_member() is None
    assert home.member() == home.manifest().member(member)
    for other in ("lender-1", "lender-3"):
        cluster.wait_until(
            lambda other=other: next(one for one in cluster.status(other).peers if one.member == member).reachable,  # type: ignore[misc]
            f"{other} reaches {member}",
        )
        peer = next(one for one in cluster.status(other).peers if one.member == member)
        assert peer.address == f"127.0.0.1:{port}"
    cluster.wait_same_heads()


def test_a_lender_is_taken_in_with_the_lineage_alone(cluster: Cluster, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    folder, name = cluster.home_folder("lender-4"), "lender-4"
    cluster._run([["--home", str(folder), "init", "--member", name, "--address", f"127.0.0.1:{port}"]])
    cluster._run([["--home", str(folder), "card", "-o", str(tmp_path / "card")]])
    pass_change(cluster, "--add", tmp_path / "card")
    file = tmp_path / "lineage"
    shown = plimsoll(cluster, "lender-3", "lineage", "-o", file)
    assert [one["sequence"] for one in shown["manifests"]] == [0, 1, 2, 3, 4]
    assert open_lineage(file.read_bytes()).current == cluster.home("lender-3").manifest()
    cluster._run([["--home", str(folder), "join", str(file)]])
    cluster._run([["--home", str(folder), "join", str(file)]])  # again: nothing changes
    assert cluster.home(name).history() == cluster.home("lender-3").history()
    cluster.stop(*cluster.running)
    cluster.members = (*MEMBERS, name)
    cluster.start()
    cluster.wait_ready(*MEMBERS)
    heads = cluster.wait_same_heads()
    assert set(heads) == {*MEMBERS, name}
    assert cluster.status(name).sequence in (0, 4)
    assert cluster.home(name).keyring(PASSPHRASE).member == name


def test_no_node_met_an_error_it_did_not_expect(cluster: Cluster) -> None:
    cluster.check_logs()
