from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")

LEASH = [sys.executable, "-P", "-m", "client.demo.leash"]
SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


def gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody waits for yet has, too."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_process_on_the_leash_is_the_command() -> None:
    code = "import sys; print(sys.argv[1:]); sys.exit(7)"
    done = subprocess.run(
        [*LEASH, str(os.getpid()), sys.executable, "-c", code, "a", "b c"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (7, "['a', 'b c']\n")


def test_it_ends_when_its_parent_is_killed() -> None:
    parent_code = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([*{LEASH!r}, str(os.getpid()), *{SLEEPER!r}], start_new_session=True,"
        " stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not gone(child)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while not gone(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert gone(child)


def test_it_does_not_start_where_its_parent_has_gone_before() -> None:
    done = subprocess.run([*LEASH, "1", sys.executable, "-c", "print('ran')"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
