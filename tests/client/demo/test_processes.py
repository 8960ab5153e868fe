from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from client.demo import processes
from client.demo.processes import last_line, run_all, running_nodes
from ledger.errors import PlimsollError, Unavailable


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program in place of the node; tests write what it does."""
    program = tmp_path / "program.py"
    monkeypatch.setattr(processes, "_PYTHON", (sys.executable, "-P", str(tmp_path / "run.py")))
    # Called as `run.py client.demo.leash <pid> <python> .. node ..` or `run.py node ..`.
    (tmp_path / "run.py").write_text(
        "import os, sys\n"
        "arguments = sys.argv[1:]\n"
        "if arguments[0] == 'client.demo.leash':\n"
        "    os.execv(arguments[2], arguments[2:])\n"
        f"os.execv(sys.executable, [sys.executable, {str(program)!r}, *arguments[1:]])\n"
    )
    return program


def test_commands_run_one_a_core_and_are_counted(node: Path, tmp_path: Path) -> None:
    node.write_text("import sys; open(sys.argv[1], 'w').close()")
    files = [tmp_path / f"done-{number}" for number in range(5)]
    assert list(run_all([[str(file)] for file in files])) == [1, 2, 3, 4, 5]
    assert all(file.exists() for file in files)


def test_a_command_that_fails_says_why_and_ends_the_others(node: Path, tmp_path: Path) -> None:
    node.write_text(
        "import sys, time, os\n"
        "if sys.argv[1] == 'bad': sys.exit('noise\\nplimsoll: the reason [WHY]')\n"
        "open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)\n"
    )
    started = time.monotonic()
    with pytest.raises(PlimsollError) as caught:
        list(run_all([["bad"], [str(tmp_path / "pid")]]))
    assert caught.value.message == "the reason [WHY]"
    assert time.monotonic() - started < 30


def test_commands_do_not_inherit_what_speaks_for_the_users_own_home(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLIMSOLL_HOME", "/home/of/the/user")
    monkeypatch.setenv("PLIMSOLL_PASSPHRASE", "secret")
    node.write_text("import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))")
    list(run_all([[str(tmp_path / "environment")]]))
    environment = json.loads((tmp_path / "environment").read_text())
    assert not any(name.startswith("PLIMSOLL_") for name in environment)
    assert environment["PATH"] == os.environ["PATH"]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(file: Path) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if file.exists() and file.read_text():
            return file.read_text()
        time.sleep(0.02)
    raise AssertionError("the process did not come up")


def test_nodes_are_stopped_at_the_end_of_the_block_also_those_that_do_not_listen(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.5)
    node.write_text(
        "import os, signal, sys, time\n"
        "home = sys.argv[2]\n"
        "if home.endswith('deaf'): signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open(home + '/pid', 'w').write(str(os.getpid()))\n"
        "print('hello from', home, flush=True)\n"
        "time.sleep(60)\n"
    )
    homes = [tmp_path / "good", tmp_path / "deaf"]
    with running_nodes() as nodes:
        for home in homes:
            home.mkdir()
            nodes.start(home.name, home)
        pids = [int(wait_for(home / "pid")) for home in homes]
        nodes.check()
        assert all(map(alive, pids))
    assert not any(map(alive, pids))
    assert "hello from" in (homes[0] / "node.log").read_text()


def test_a_node_that_dies_is_named_with_its_last_words(node: Path, tmp_path: Path) -> None:
    node.write_text("import sys; print('plimsoll: cannot listen [CANNOT_LISTEN]', file=sys.stderr); sys.exit(7)")
    with running_nodes() as nodes:
        nodes.start("lender-4", tmp_path)
        nodes._running[0].process.wait(20)
        with pytest.raises(Unavailable) as caught:
            nodes.check()
    assert caught.value.message == "the node of lender-4 ended with 7: cannot listen [CANNOT_LISTEN]"


def test_signals_wait_until_the_nodes_are_stopped_and_then_mean_what_they_meant(node: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), running_nodes():
        raise KeyboardInterrupt
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("", "it said nothing"),
        ('{"event": "started"}\n{"event": "stopped", "why": "no space", "level": "error"}\n', "stopped: no space"),
        ('{"event": "x", "error": {"message": "because"}}\n', "x: because"),
        ("Traceback:\nValueError: odd\n\n", "ValueError: odd"),
        ("plimsoll: plain words\n", "plain words"),
        ("[1, 2]\n", "[1, 2]"),
        ("a\x1b[2Jb\n", "a [2Jb"),
    ],
)
def test_the_last_line_of_a_log_is_told_in_one_line(tmp_path: Path, log: str, told: str) -> None:
    (tmp_path / "node.log").write_text(log)
    assert last_line(tmp_path / "node.log") == told


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert last_line(tmp_path / "none") == "it said nothing"
