"""`scripts/fuzz`: it names its targets, finds what breaks a promise, and says how to see it again."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from plimsoll.v1 import entry_pb2

from tests.fuzz import command
from tests.fuzz.messages import handlers, services
from tests.fuzz.mutations import pieces, stretched
from tests.fuzz.target import Target
from tests.fuzz.targets import BY_NAME

BROKEN = """
import sys
from pathlib import Path
import atheris
from tests.fuzz import command
from tests.fuzz.target import Target

@atheris.instrument_func
def run(raw):
    if raw[:2] == b"ab":
        raise ValueError("a bug")

target = Target("broken", run, lambda: [b"a"], (b"ab",))
sys.exit(command._summed([command._fuzz(target, Path(sys.argv[1]), 20)]))
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(command.ROOT), str(command.ROOT / "protos")])}
    return subprocess.run(
        [sys.executable, *arguments], cwd=command.ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_list_has_every_target_a_line(capsys):
    assert command.main(["--list"]) == 0
    assert capsys.readouterr().out.splitlines() == list(BY_NAME)


def test_every_kind_of_entry_and_every_call_has_a_target():
    kinds = {field.name for field in entry_pb2.Entry.DESCRIPTOR.oneofs_by_name["kind"].fields}
    assert {f"entry-{name.replace('_', '-')}" for name in kinds} <= set(BY_NAME)
    called = [f"{service.full_name}/{method.name}" for service in services() for method in service.methods]
    assert called
    assert set(called) == set(handlers())
    assert {"rpc-peer-push", "rpc-lender-report", "rpc-audit-receipt-answer", "rpc-operator-status"} <= set(BY_NAME)


def test_what_keeps_the_promise_is_said_to(tmp_path: Path, capsys):
    (tmp_path / "input").write_bytes(b"not a note")
    assert command.main(["note", "--reproduce", str(tmp_path / "input")]) == 0
    assert "keeps its promise" in capsys.readouterr().out


def test_an_unknown_target_is_refused(tmp_path: Path, capsys):
    assert command.main(["nothing", "--reproduce", str(tmp_path)]) == command.UNKNOWN
    assert "--list" in capsys.readouterr().err


def test_a_machine_without_a_wheel_is_told_so(monkeypatch: pytest.MonkeyPatch, capsys):
    ran: list[Sequence[str]] = []

    def failing(arguments: Sequence[str], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        ran.append(arguments)
        return subprocess.CompletedProcess(arguments, 1)

    monkeypatch.setattr(command, "_is_installed", lambda: False)
    monkeypatch.setattr(subprocess, "run", failing)
    assert command.main(["note"]) == command.NOT_INSTALLED
    assert "CPython 3.11 to 3.13 on Linux x86-64" in capsys.readouterr().err
    assert {"--only-binary", "--require-hashes"} <= set(ran[0])


def test_a_target_breaks_its_promise_by_any_other_error():
    def run(raw: bytes) -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        Target("broken", run, list).check(b"")


def test_lines_and_fields_are_stretched():
    assert pieces(b"one\ntwo\n") == [b"one\n", b"two\n"]
    field = b"\x12\x02ab"
    assert pieces(field + b"\x10\x05") == [field, b"\x10\x05"]
    assert any(run.count(field) > 1000 for run in stretched(field, ()))


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is installed by scripts/fuzz alone")
def test_the_fuzzer_finds_a_bug_and_says_how_to_see_it_again(tmp_path: Path):
    done = python("-c", BROKEN, str(tmp_path))
    assert done.returncode == command.FOUND, done.stderr
    assert "ValueError: a bug" in done.stdout
    (crash,) = (tmp_path / "crashes").iterdir()
    assert crash.read_bytes().startswith(b"ab")
    assert f"scripts/fuzz broken --reproduce {crash}" in done.stdout
