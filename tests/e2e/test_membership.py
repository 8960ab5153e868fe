"""The consortium changes itself: proposed and approved by commands, in force everywhere, on record for everybody."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from ledger.consortium.lineage import open_lineage
from tests.cluster import PASSPHRASE, Cluster, free_ports
from tests.e2e.commands import listed, plimsoll

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
MEMBERS = ("lender-1", "lender-2", "lender-3")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.found(tmp_path_factory.mktemp("membership"), 3) as cluster:
        cluster.start()
        cluster.wait_ready()
        yield cluster


def in_force(cluster: Cluster, identity: str, *members: str) -> None:
    """Waits until these members' homes have this manifest."""
    for member in members:
        cluster.wait_until(lambda member=member: cluster.home(member).manifest().id.hex() == identity, "in force", 30)  # type: ignore[misc]


def approve(cluster: Cluster, identity: str, *members: str) -> None:
    for member in members:
        cluster.wait_until(lambda member=member: listed(cluster, member, identity), "listed", 30)  # type: ignore[misc]
        plimsoll(cluster, member, "approve", "--yes", identity[:12])


def lines_of(heading: str) -> list[list[str]]:
    """The commands of a section of the page, in words."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL)).splitlines()
    return [words[1:] for line in lines if (words := shlex.split(line, comments=True))]


def follow(
    cluster: Cluster,
    heading: str,
    *,
    by: str,
    voters: tuple[str, ...] = MEMBERS,
    joining: str = "",
    names: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """Types what a section says: proposed by one, approved by these. names: what stands here for names in the page.

    The successor's id, which is in force at all who voted.
    """
    identity = ""
    for command, *arguments in lines_of(heading):
        given = [str(names.get(word, word)) for word in arguments]
        if command == "propose":
            identity = plimsoll(cluster, by, command, "--yes", *given)["id"]
        elif command == "approve":
            approve(cluster, identity, *voters)
            in_force(cluster, identity, *voters)
        else:
            plimsoll(cluster, joining if command == "join" else by, command, *given)
    return identity


def test_a_policy_is_changed_by_commands_and_in_force_everywhere(cluster: Cluster) -> None:
    before = cluster.home("lender-1").manifest()
    (propose, _) = lines_of("Changing the policy")
    proposed = plimsoll(cluster, "lender-1", *propose, "--yes")
    assert proposed["changes"][0] == "policy: queries_per_borrower = 3 -> 7"
    identity = proposed["id"]
    for number, member in enumerate(MEMBERS):
        cluster.wait_until(lambda member=member: listed(cluster, member, identity), "listed", 30)  # type: ignore[misc]
        (shown,) = cluster.session(member, "operator").proposals()
        assert (shown.proposer, shown.needed) == ("lender-1", 3)
        assert len(shown.approved) <= number
        assert cluster.home(member).manifest() == before
        approved = plimsoll(cluster, member, "approve", "--yes", identity)
        if not number:  # saying it again is the same approval
            assert plimsoll(cluster, member, "approve", "--yes", identity)["index"] == approved["index"]
    in_force(cluster, identity, *MEMBERS)
    for member in MEMBERS:
        lineage = cluster.home(member).lineage()
        assert lineage.current.policy.queries_per_borrower == 7
        assert [proof.member for proof in lineage.approvals[0]] == list(MEMBERS)
    assert plimsoll(cluster, "lender-3", "proposals")["proposals"] == []


def test_nobody_approves_two_successors_of_one_manifest(cluster: Cluster) -> None:
    one = plimsoll(cluster, "lender-1", "propose", "--yes", "--policy", "grace_days=11")["id"]
    two = plimsoll(cluster, "lender-1", "propose", "--yes", "--policy", "grace_days=12")["id"]
    plimsoll(cluster, "lender-1", "approve", "--yes", one)
    refused = plimsoll(cluster, "lender-1", "approve", "--yes", two, code=4)
    assert refused["error"]["reason"] == "APPROVED_ANOTHER"
    approve(cluster, one, *MEMBERS[1:])
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
    names = {"lender-2.example:7701": f"127.0.0.1:{port}", "new.card": card}
    cluster.ending.add(member)
    identity = follow(cluster, "Changing address, CA, keys", by=member, names=names)
    assert cluster.process(member).wait(30) == 7  # it stops by itself
    cluster.ending.clear()
    cluster._reap(member)
    assert "KEYS_CHANGED" in cluster.log_text(member)
    assert cluster.home(member).authority() == old  # until it is started again
    config = cluster.home_folder(member) / "config.toml"
    config.write_text(config.read_text().replace(str(cluster.home(member).config.address), f"127.0.0.1:{port}"))
    cluster.start(member)
    cluster.wait_until(lambda: cluster.log_text(member).count('"started"') == 2, "it has started with its new keys")
    cluster._endpoints.clear()  # of its old certificates
    cluster.wait_ready(member)
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
    file = tmp_path / "lineage"
    names = {"lender-4.card": tmp_path / "card", "lineage": file}
    follow(cluster, "Taking in a member", by="lender-3", joining=name, names=names)
    assert open_lineage(file.read_bytes()).current == cluster.home("lender-3").manifest()
    shown = plimsoll(cluster, "lender-1", *lines_of("Changing the consortium")[1])
    manifests = cluster.home("lender-3").history().manifests
    assert [one["id"] for one in shown["manifests"]] == [one.id.hex() for one in manifests]
    cluster._run([["--home", str(folder), "join", str(file)]])  # again: nothing changes
    assert cluster.home(name).history() == cluster.home("lender-3").history()
    cluster.members = (*MEMBERS, name)
    cluster.start(name)
    cluster.wait_until(lambda: set(cluster.sizes(name)) == {*MEMBERS, name}, "it holds all logs")
    assert set(cluster.wait_same_heads()) == {*MEMBERS, name}
    assert cluster.home(name).keyring(PASSPHRASE).member == name


def test_no_node_met_an_error_it_did_not_expect(cluster: Cluster) -> None:
    cluster.check_logs()
