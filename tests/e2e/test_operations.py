"""docs/operations.md, taken at its word: its commands are run, one after the other, on a node to which what each
section is about has happened. `systemctl` is the test, which stops and starts the node."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ledger.chain.chain import Chain
from ledger.homes import home as layout
from ledger.positions.feed import COLUMNS
from node.upkeep.leveldb import LevelStore
from node.upkeep.stores import log_names
from tests.cluster import Cluster
from tests.e2e.conftest import Found
from tests.e2e.feeds import row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
MINE = "lender-1"
#: Sections whose commands other tests run.
ELSEWHERE = {
    "Changing the consortium",
    "Taking in a member",
    "A feed is kept back",
    "A log that is frozen",
    "Watching the consortium",
    "A member leaves",
    "Changing address, CA, keys",
    "Changing the policy",
    "Refreshing the shares",
}


def sections() -> dict[str, list[list[str]]]:
    """By heading, the blocks of commands under it, line by line."""
    found = {}
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        found[heading] = [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    return found


class Machine:
    """lender-1's, among three."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.home = cluster.home_folder(MINE)
        self.places = {
            "/var/lib/plimsoll": str(self.home),
            "/var/backups": str(cluster.folder / "backups"),
            "/mnt/offsite": str(cluster.folder / "offsite"),
        }
        command = cluster.folder / "bin" / "plimsoll"
        command.parent.mkdir()
        program = "import sys; from client.cli import main; sys.exit(main())"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -c \'{program}\' "$@"\n')
        command.chmod(stat.S_IRWXU)
        self.environment = {
            **cluster.environment,
            "PATH": f"{command.parent}:{os.environ['PATH']}",
            "PLIMSOLL_HOME": str(self.home),
        }
        Path(self.places["/var/backups"]).mkdir()
        #: Where whoever types is; their files lie there.
        self.here = cluster.folder / "here"
        self.here.mkdir()

    def type(self, line: str, code: int = 0, stdin: str = "") -> str:
        """One line of the page; what it prints."""
        if line == "systemctl stop plimsoll":
            self.cluster.stop(MINE)
            return ""
        if line == "systemctl start plimsoll":
            self.cluster.start(MINE)
            self.cluster.wait_until(lambda: self.cluster.status(MINE).state == "serving", "the node serves")
            return ""
        for place, here in self.places.items():
            line = line.replace(place, here)
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.here,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def report(self, first: int, count: int = 5) -> int:
        """How many positions a feed of these borrowers publishes."""
        rows = [row(f"test:{number}", 30_000 + number, line=number + 2) for number in range(first, first + count)]
        return self.cluster.report(MINE, rows).published

    def borrowers(self, count: int) -> None:
        """Waits until the book has so many."""
        self.cluster.wait_until(lambda: self.cluster.status(MINE).borrowers == count, f"{count} borrowers in the book")


def well(machine: Machine, blocks: list[list[str]]) -> None:
    ((status,),) = blocks
    assert machine.report(0) == 5
    assert "serving" in machine.type(status)


def fsck(machine: Machine, blocks: list[list[str]]) -> None:
    ((stop, look, repair, start),) = blocks
    machine.type(stop)
    with closing(LevelStore(machine.home / layout.CHAIN)) as store:
        log = Chain(store, log_names(machine.cluster.manifest)).log(MINE)
        store.write([(key, None) for key, _ in store.scan(log.keys.labels, log.keys.labels + b"\xff" * 30)])
    assert "damaged" in machine.type(look, 9)
    assert "repaired" in machine.type(repair)
    machine.type(start)
    assert machine.report(0) == 0


def backup(machine: Machine, blocks: list[list[str]]) -> None:
    (copy, check), (stop, move, restore, start, status) = blocks
    machine.type(copy)
    assert "is whole" in machine.type(check)
    assert machine.report(100) == 5
    machine.cluster.wait_same_heads()
    for line in (stop, move, restore, start):
        machine.type(line)
    machine.borrowers(10)
    assert "lost its shares" in machine.type(status)
    assert machine.report(100) == 0


def lost_disk(machine: Machine, blocks: list[list[str]]) -> None:
    (*prepare, start, status), book, chain = blocks
    offsite = Path(machine.places["/mnt/offsite"])
    offsite.mkdir()
    for name in (layout.KEYRING, layout.CONFIG, layout.CARD, layout.AUTHORITY, layout.MANIFEST):
        shutil.copy(machine.home / name, offsite)
    machine.cluster.wait_same_heads()
    machine.cluster.kill(MINE)
    shutil.rmtree(machine.home)
    for line in (*prepare, start):
        machine.type(line)
    machine.borrowers(10)
    assert machine.home.stat().st_mode & 0o777 == 0o700
    assert "10" in machine.type(status)
    assert machine.report(0) + machine.report(100) == 0
    for lines in (book, chain):
        for line in lines:
            machine.type(line)
        machine.borrowers(10)
        assert machine.report(0) + machine.report(100) == 0
    machine.cluster.wait_same_heads()


def challenged(machine: Machine, blocks: list[list[str]]) -> None:
    ((status, report),) = blocks
    assert machine.type(status)
    again = row("test:0", 45_000)
    lines = [",".join(COLUMNS), ",".join(str(getattr(again, column)) for column in COLUMNS)]
    (machine.here / "feed.csv").write_text("\n".join(lines) + "\n")
    size = machine.cluster.sizes(MINE)[MINE]
    machine.type(report)
    assert machine.cluster.sizes(MINE)[MINE] > size  # a new position is another record


def court(machine: Machine, blocks: list[list[str]]) -> None:
    (disclose, lineage), (verify,) = blocks
    machine.type(disclose, stdin="test:1\n")
    machine.type(lineage)
    assert "test:1" not in (machine.here / "opening.json").read_text()
    assert "300.01" in machine.type(verify)


def certificates(machine: Machine, blocks: list[list[str]]) -> None:
    ((issue,),) = blocks
    machine.type(issue)
    issued = Path(machine.places["/var/backups"]) / "loans-2"
    assert {path.name for path in issued.iterdir()} == {"lender-loans.pem", "lender-loans.key", "ca.pem"}


def only_looks(machine: Machine, blocks: list[list[str]]) -> None:
    for block in blocks:
        for line in block:
            assert machine.type(line)


RUNS: dict[str, Callable[[Machine, list[list[str]]], None]] = {
    "Is the node well": well,
    "Check and repair: fsck": fsck,
    "Backup and restore": backup,
    "A lost disk": lost_disk,
    "A full disk": only_looks,
    "A disk that stalls": only_looks,
    "A restored or copied disk": only_looks,
    "A record that is challenged": challenged,
    "A position is to be shown to a court": court,
    "A log that is not witnessed": only_looks,
    "Partitions and storms": only_looks,
    "Certificates": certificates,
    "Clocks": only_looks,
}


def test_whoever_types_the_commands_of_the_page_is_helped(found: Found) -> None:
    cluster = found(3)
    cluster.start()
    cluster.wait_ready()
    machine = Machine(cluster)
    page = sections()
    for heading, run in RUNS.items():
        run(machine, page[heading])


def test_every_section_with_commands_is_run_by_a_test() -> None:
    assert {heading for heading, blocks in sections().items() if blocks} == {*RUNS, *ELSEWHERE}


def test_every_state_of_a_node_is_explained() -> None:
    told = set(re.findall(r"^\| ([a-z (-]+\)?) \| ", PAGE.split("## Monitoring")[0], re.MULTILINE)) - {"state "}
    wire = (ROOT / "protos/plimsoll/v1/operator.proto").read_text()
    (line,) = re.findall(r"// (\"serving\".*)\n\s+string state", wire)
    assert told - {"state"} == set(re.findall(r'"([^"]+)"', line))
