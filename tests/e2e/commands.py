"""The program `plimsoll`, run as an operator does, and changes of the manifest made with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.cluster import Cluster

_PROGRAM = "import sys; from client.cli import main; sys.exit(main())"


def plimsoll(cluster: Cluster, member: str, *arguments: object, code: int = 0) -> Any:
    """The command at a member, --json: what it answers, or what it says is wrong."""
    options = ["--home", str(cluster.home_folder(member)), "--json"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", _PROGRAM, *options, *map(str, arguments)],
        env=cluster.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout or done.stderr)


def started(cluster: Cluster, member: str, *arguments: object) -> subprocess.Popen[bytes]:
    """The same, not waited for, and silent."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, "--home", str(cluster.home_folder(member)), *map(str, arguments)],
        env=cluster.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def listed(cluster: Cluster, member: str, identity: str) -> bool:
    """Whether a member's node knows of this proposal."""
    return any(each.manifest.hex() == identity for each in cluster.session(member, "operator").proposals())


def pass_change(cluster: Cluster, *change: object, voters: Sequence[str], by: str) -> str:
    """Proposed by one, approved by these; the successor's id."""
    identity: str = plimsoll(cluster, by, "propose", "--yes", *change)["id"]
    for member in voters:
        cluster.wait_until(partial(listed, cluster, member, identity), "listed", 30)
        plimsoll(cluster, member, "approve", "--yes", identity[:12])
    return identity


def wait_in_force(cluster: Cluster, identity: str, *members: str) -> None:
    """Until the nodes of these members, which run, go by this manifest."""
    for member in members:
        cluster.wait_until(partial(_goes_by, cluster, member, identity), f"in force at {member}", 30)


def _goes_by(cluster: Cluster, member: str, identity: str) -> bool:
    return cluster.status(member).manifest == identity
