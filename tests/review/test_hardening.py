"""No core of a process that holds secrets."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from node.lending.workers import Workers

CRASH = """
import ctypes, os, resource
from node.wire.hardening import leave_no_core
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
leave_no_core()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
os.abort()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux")
def test_a_crash_leaves_no_core(tmp_path):
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", CRASH], cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(root)}
    )
    assert done.returncode == -signal.SIGABRT
    assert done.stdout == "(0, 0) 0\n"
    assert not list(tmp_path.iterdir())


FILES = """
import resource
from node.wire.hardening import allow_files, give_memory_back
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
allow_files()
give_memory_back()
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, 65_536), hard))
"""


def test_a_node_may_open_as_many_files_as_the_system_grants():
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", FILES], capture_output=True, text=True, env={"PYTHONPATH": str(root)})
    assert done.stdout == "True\n", done.stderr


def limit(_: int) -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_CORE)


async def test_workers_leave_none_either():
    workers = Workers(1)
    try:
        assert [limits async for limits in workers.map_ordered(limit, [1], bulk=True)] == [(0, 0)]
    finally:
        workers.close()
