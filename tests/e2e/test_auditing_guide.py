"""docs/auditing.md, taken at its word: its commands are typed by an auditor outside of every member, with a certificate
from one of them. And the watch of docs/operations.md."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.client.fakes import free_port
from tests.cluster import Cluster
from tests.e2e.feeds import row

pytestmark = [pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "auditing.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
MEMBER = "lender-1"


class Desk:
    """An auditor's: an empty folder, the program, and what lender-1 gave out."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.port = free_port()
        command = folder / "bin" / "plimsoll"
        command.parent.mkdir()
        program = "import sys; from client.cli import main; sys.exit(main())"
        paths = os.pathsep.join((str(ROOT), str(ROOT / "protos")))
        command.write_text(f'#!/bin/sh\nPYTHONPATH={paths} exec "{sys.executable}" -c \'{program}\' "$@"\n')
        command.chmod(stat.S_IRWXU)
        (folder / "audit").mkdir()
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("PLIMSOLL_")}
        self.environment["PATH"] = f"{command.parent}{os.pathsep}{os.environ['PATH']}"

    def start(self, line: str, **more: str) -> subprocess.Popen[str]:
        """A command as it stands on the page, with the node's real address and a free port."""
        address = str(self.cluster.manifest.member(MEMBER).address)
        words = shlex.split(line.replace("lender-1.example:4000", address).replace("9464", str(self.port)))
        environment = {**self.environment, **more}
        pipe = subprocess.PIPE
        return subprocess.Popen(words, cwd=self.folder, env=environment, stdout=pipe, stderr=pipe, text=True)

    def type(self, line: str, **more: str) -> str:
        """What it prints; it must succeed."""
        done = self.start(line, **more)
        out, err = done.communicate(timeout=90)
        assert done.returncode == 0, (line, out, err)
        return out

    def watch(self, line: str, **more: str) -> str:
        """Two lines of one that goes on, and its metrics; then Ctrl-C."""
        process = self.start(line, **more)
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first, process.communicate()[1]
            scraped = urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10).read().decode()
            assert "plimsoll_audit_ok 1.0" in scraped
            assert f'plimsoll_audit_verified_entries{{log="{MEMBER}"}}' in scraped
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0
            return first
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def desk(consortium: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    consortium.report(MEMBER, [row(f"test:{number}", 1_000_000, line=number) for number in range(70_001, 70_006)])
    consortium.wait_same_heads()
    return Desk(consortium, tmp_path_factory.mktemp("desk"))


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    return [line for block in blocks for line in block.strip().splitlines()]


def test_an_auditor_who_types_the_guide_audits_a_consortium(desk: Desk) -> None:
    (credential,) = re.findall(r"`(plimsoll credential [^`]+)`", GUIDE)
    home = desk.cluster.home_folder(MEMBER)
    desk.type(credential, PLIMSOLL_HOME=str(home), **_passphrase(desk.cluster))
    seen = []
    for line in commands():
        if "--watch" in line:
            assert " ok: " in desk.watch(line)
        elif "acknowledge" in line:  # nothing was found, so that there is nothing to acknowledge
            process = desk.start(line)
            assert "NO_FINDINGS" in process.communicate(timeout=60)[1]
        else:
            seen.append(desk.type(line))
    folder = desk.folder / "audit"
    report = json.loads((folder / "report.json").read_text())
    assert report["verdict"] == "ok"
    assert report["consortium"] == desk.cluster.manifest.consortium.hex()
    assert sum(log["proofs"] for log in report["logs"]) > 0
    assert "Everything checked holds." in (folder / "report.html").read_text()
    assert "Everything checked holds." in seen[-1]  # of the tiles
    assert len(re.findall(r"^lender-\d ", seen[-2], re.MULTILINE)) == len(desk.cluster.members)


def test_a_member_who_types_the_operators_page_watches_the_others(desk: Desk) -> None:
    (line,) = re.findall(r"^plimsoll audit run .*$", OPERATIONS, re.MULTILINE)
    (desk.folder / "own").mkdir()
    line = line.replace("/var/lib/plimsoll-audit", str(desk.folder / "own"))
    home = desk.cluster.home_folder("lender-2")
    assert " ok: " in desk.watch(line, PLIMSOLL_HOME=str(home), **_passphrase(desk.cluster))
    assert {path.name for path in (desk.folder / "own").iterdir()} == {"state.json", "report.html"}


def _passphrase(cluster: Cluster) -> dict[str, str]:
    return {key: value for key, value in cluster.environment.items() if key.startswith("PLIMSOLL_PASS")}
