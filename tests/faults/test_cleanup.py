"""What these tests do to a machine is undone, also where one of them is killed in the middle."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import loopdisk, namespaces

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0
#: Makes something, says what, and stays.
MAKING = "from {module} import {what}\nwith {what}({arguments}) as made:\n    {more}\n    input()\n"


def kill_while_it_stands(code: str) -> str:
    """kill -9 of a program once it has said something; what it said."""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        said = program.stdout.readline().strip()
        program.kill()
    return said


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_namespaces_and_what_runs_in_them_are_gone_after_kill_9() -> None:
    if why := namespaces.reason():
        pytest.skip(why)
    more = "import subprocess; inside = subprocess.Popen([*made.inside('a'), 'sleep', '600']); "
    more += "print(inside.args[1], inside.pid, flush=True)"
    code = MAKING.format(module="tests.faults.namespaces", what="Namespaces", arguments="['a', 'b']", more=more)
    option, process = kill_while_it_stands(code).split()
    file = Path(option.partition("=")[2])
    assert file.parent == Path("/run/netns")
    wait_until(lambda: not file.exists() and not Path("/proc", process, "exe").exists())


def test_a_stalled_disk_goes_on_and_is_unmounted_after_kill_9(tmp_path: Path) -> None:
    if why := loopdisk.reason():
        pytest.skip(why)
    folder = tmp_path / "disk"
    more = "made.stall(); print('stalled', flush=True)"
    code = MAKING.format(
        module="pathlib import Path\nfrom tests.faults.loopdisk",
        what="LoopDisk",
        arguments=f"Path('{folder}')",
        more=more,
    )
    assert kill_while_it_stands(code) == "stalled"
    wait_until(lambda: str(folder) not in Path("/proc/mounts").read_text() and not folder.with_suffix(".img").exists())
