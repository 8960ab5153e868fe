"""Logs of real nodes as files: exported step by step through any member, killed in between, and proved to strangers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from client.export.folder import LogFolder
from ledger.consortium.lineage import open_lineage
from ledger.tlog.checkpoint import open_head
from ledger.tlog.tiled_log import TiledLog
from ledger.tlog.tlog_policy import parse_policy
from ledger.witnessing.cosigned import verify_witnessed_in
from tests.cluster import Cluster
from tests.e2e.commands import plimsoll
from tests.e2e.feeds import row
from tests.go.verifier import built

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

AUTHOR = "lender-1"


def report(cluster: Cluster, start: int, count: int) -> None:
    rows = [row(f"test:72{start + number:04}", 1_000_000) for number in range(count)]
    assert cluster.report(AUTHOR, rows).published == count
    cluster.wait_same_heads()


def opened(cluster: Cluster, where: Path, member: str = AUTHOR) -> tuple[int, str]:
    """Size and root of a log in a folder, every byte of it verified."""
    head = open_head((where / member / "checkpoint").read_bytes(), cluster.manifest.log_key(member)).head
    log = TiledLog(LogFolder(where / member), head)
    assert sum(len(stretch.entries) for stretch in log.entries()) == head.size
    return head.size, head.root.hex()


@pytest.fixture(scope="module")
def folder(consortium: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export through lender-2, and what came after it through lender-3."""
    where = tmp_path_factory.mktemp("tiles") / "export"
    report(consortium, 0, 200)
    facts = plimsoll(consortium, "lender-2", "audit", "export-tiles", where)
    assert facts["verdict"] == "ok"
    before = {log["log"]: log["size"] for log in facts["logs"]}
    report(consortium, 200, 100)
    facts = plimsoll(consortium, "lender-3", "audit", "export-tiles", where)
    assert {log["log"]: log["before"] for log in facts["logs"]} == before
    return where


def test_an_export_holds_the_logs_that_all_nodes_have(consortium: Cluster, folder: Path) -> None:
    heads = consortium.wait_same_heads()
    plimsoll(consortium, "lender-4", "audit", "export-tiles", folder, "--check")
    assert {member: opened(consortium, folder, member) for member in consortium.members} == {
        member: heads[member] for member in consortium.members
    }
    assert opened(consortium, folder)[0] >= 300


def test_it_passes_gos_own_log_packages(consortium: Cluster, folder: Path, tmp_path: Path) -> None:
    verify = built(tmp_path)
    keys = subprocess_lines(consortium, "audit", "keys", "--lineage", folder / "lineage")
    jobs = [("tiles", folder / name, "checkpoint", key) for name, key in (line.split(" ") for line in keys)]
    assert [answer.split()[0] for answer in verify(jobs)] == ["ok"] * 5


def test_heads_are_exported_with_their_cosignatures_once_they_are_witnessed(consortium: Cluster, folder: Path) -> None:
    def witnessed() -> bool:
        log = next(log for log in consortium.status("lender-5").logs if log.member == AUTHOR)
        return bool(log.witnessed_size == log.size == log.known_size)

    consortium.wait_until(witnessed, "lender-1's log is witnessed", 60)
    plimsoll(consortium, "lender-5", "audit", "export-tiles", folder)
    note = (folder / AUTHOR / "witnessed").read_bytes()
    history = open_lineage((folder / "lineage").read_bytes()).history
    signed, _, author = verify_witnessed_in(note, history)
    assert (author, signed.head.size) == (AUTHOR, opened(consortium, folder)[0])
    assert (folder / AUTHOR / "checkpoint").read_bytes() == note
    for options in ((), ("--log", AUTHOR)):
        policy = plimsoll(consortium, "lender-5", "audit", "policy", "--lineage", folder / "lineage", *options)[
            "policy"
        ]
        assert parse_policy(policy.encode()).open(note).head == signed.head


def test_a_receipt_proves_an_entry_to_who_has_only_the_manifests(
    consortium: Cluster, folder: Path, tmp_path: Path
) -> None:
    proof, entry = tmp_path / "r.tlog-proof", tmp_path / "entry"
    fetched = plimsoll(consortium, "lender-4", "receipt", AUTHOR, 100, "-o", proof, "--entry", entry)
    verified = plimsoll(
        consortium, "lender-4", "receipt", "--verify", proof, "--entry", entry, "--lineage", folder / "lineage"
    )
    assert {key: fetched[key] for key in verified} == verified
    key = consortium.manifest.log_key(AUTHOR)
    assert [answer.split()[0] for answer in built(tmp_path)([("receipt", proof, entry, key)])] == ["ok"]


def test_an_export_that_is_killed_leaves_what_there_was_or_what_there_is(consortium: Cluster, tmp_path: Path) -> None:
    program = [sys.executable, "-P", "-c", KILLED, str(consortium.home_folder("lender-2"))]
    for step in (4, 7, 12):
        where = tmp_path / str(step)
        command = [*program, str(where), str(step)]
        done = subprocess.run(command, env=consortium.environment, capture_output=True, check=False, timeout=60)
        assert done.returncode == -9, done.stderr
        if (where / AUTHOR / "checkpoint").exists():
            opened(consortium, where)
    assert plimsoll(consortium, "lender-2", "audit", "export-tiles", where, "--check")["verdict"] == "ok"
    assert opened(consortium, where)[0] >= 300
    assert list(where.rglob("*.new")) == []


#: Exports, and is killed for real at the n-th time it puts a file in place.
KILLED = """
import os, signal, sys
from pathlib import Path
from client.cli import main
left, real = [int(sys.argv[3])], Path.replace
def replace(path, target):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, target)
Path.replace = replace
main(["--home", sys.argv[1], "audit", "export-tiles", sys.argv[2]])
"""


def subprocess_lines(cluster: Cluster, *arguments: object) -> list[str]:
    """What the program prints for people."""
    program = [sys.executable, "-P", "-c", "import sys; from client.cli import main; sys.exit(main())"]
    done = subprocess.run(
        [*program, *map(str, arguments)],
        env=cluster.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()
