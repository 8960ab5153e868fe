from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from client.cli import failure
from ledger import errors
from ledger.errors import PlimsollError, Unready
from tests.client.cli.conftest import Plimsoll
from tests.client.fakes import FakeNode

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PlimsollError)]


def test_every_kind_of_error_has_an_exit_code_of_its_own() -> None:
    codes = [kind.exit_code for kind in KINDS] + [0, 1, failure.USAGE, failure.INTERRUPTED, failure.BROKEN_PIPE]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_nodes_refusal_is_one_line_and_the_exit_code_of_its_kind(
    at_home: Plimsoll, node: FakeNode, kind: type[PlimsollError]
) -> None:
    node.answers["Status"] = kind("SOME_REASON", "it is so", "a.field")
    run = at_home("status")
    assert (run.code, run.out) == (kind.exit_code, "")
    if kind is not PlimsollError:
        assert run.err == "plimsoll: a.field: it is so [SOME_REASON]\n"


def test_with_json_an_error_is_an_object_on_stderr_and_stdout_stays_empty(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Status"] = Unready("NO_KEYS", "not yet")
    for arguments in (("--json", "status"), ("status", "--json")):
        run = at_home(*arguments)
        assert (run.code, run.out) == (Unready.exit_code, "")
        assert json.loads(run.err) == {"error": {"reason": "NO_KEYS", "message": "not yet", "path": ""}}


def test_a_message_cannot_move_the_cursor_or_start_a_second_line(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Status"] = Unready("X", "first\nplimsoll: forged\r\x1b[2Jgone\u2028\u202e")
    run = at_home("status")
    assert run.err == "plimsoll: first?plimsoll: forged??[2Jgone?? [X]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["status", "--nonsense"],
        ["status"],
        ["status", "--address", "127.0.0.1:1", "--cert", "only"],
        ["exposure", "test:1", "--purpose", "curiosity", "--consent-digest", "00" * 32],
        ["exposure", "test:1", "--consent-digest", "00" * 32],
        ["exposure", "--purpose", "self", "--consent-digest", "00" * 32],
        ["exposure", "test:1", "--purpose", "self"],
        ["exposure", "test:1", "--purpose", "self", "--consent", "f", "--consent-digest", "00" * 32],
        ["exposure", "test:1", "--batch", "f", "--purpose", "self", "--consent-digest", "00" * 32],
        ["exposure", "test:1", "--redacted", "--purpose", "self", "--consent-digest", "00" * 32],
        ["exposure", "--batch", "f", "--transcript", "t", "--purpose", "self", "--consent-digest", "00" * 32],
        ["report"],
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(plimsoll: Plimsoll, arguments: list[str]) -> None:
    run = plimsoll(*arguments)
    assert (run.code, run.out) == (failure.USAGE, "")
    assert run.err.startswith("plimsoll: ")
    assert run.err.endswith(" [USAGE]\n")
    assert run.err.count("\n") == 1


def test_without_a_command_the_help_is_shown(plimsoll: Plimsoll) -> None:
    run = plimsoll()
    assert run.code == failure.USAGE
    assert "Usage: plimsoll" in run.err


def test_files_that_are_not_there_or_not_ours_are_named(plimsoll: Plimsoll, home: Path, tmp_path: Path) -> None:
    run = plimsoll("--home", home, "report", tmp_path / "none.csv")
    assert run.code == errors.NotFound.exit_code
    assert run.err == f"plimsoll: {tmp_path}/none.csv: No such file or directory [NO_SUCH_FILE]\n"
    run = plimsoll("--home", tmp_path, "status")
    assert run.code == errors.NotFound.exit_code
    assert "NO_HOME" in run.err
    run = plimsoll("--home", home, "report", tmp_path)
    assert run.code == PlimsollError.exit_code
    assert run.err.count("\n") == 1


def test_a_bug_of_ours_is_one_line_too_and_says_nothing_of_its_data(
    plimsoll: Plimsoll, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("cn-id:110101199003070000")

    monkeypatch.setattr("client.credentials.endpoint_from_home", broken)
    run = plimsoll("--home", home, "status")
    assert run.code == PlimsollError.exit_code
    assert run.err == "plimsoll: a bug: ValueError; PLIMSOLL_DEBUG=1 shows where [INTERNAL]\n"
    monkeypatch.setenv("PLIMSOLL_DEBUG", "1")
    run = plimsoll("--home", home, "status")
    assert "Traceback" in run.err


def test_ctrl_c_is_130_without_a_traceback(node: FakeNode, home: Path) -> None:
    def slow(_: object) -> None:
        time.sleep(3)
        raise Unready("LATE", "too late")

    node.answers["Status"] = slow
    process = _start("--home", str(home), "status")
    deadline = time.monotonic() + 20
    while not node.asked and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == failure.INTERRUPTED
    assert err == ""


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from client.cli import main; sys.exit(main(['--help']))"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert done.returncode in (1, failure.BROKEN_PIPE)
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "import sys; from client.cli import main; sys.exit(main())", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
