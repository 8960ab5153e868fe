from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from client.cli.delegate import COMMANDS


def plimsoll(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as it becomes the node's."""
    code = "import sys; from client.cli import main; sys.exit(main())"
    command = [sys.executable, "-P", "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_nodes_command_is_the_nodes(command: str, tmp_path: Path) -> None:
    done = plimsoll(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert f"usage: plimsoll {command} " in done.stdout


def test_the_root_lists_them(tmp_path: Path) -> None:
    shown = plimsoll("--help", cwd=tmp_path).stdout
    assert all(f"  {command} " in shown for command in COMMANDS)


def test_options_reach_the_node_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("a passphrase\n")
    init = ("init", "--member", "lender-1", "--address", "127.0.0.1:7701")
    first = plimsoll("--home", tmp_path / "a", "--passphrase-file", tmp_path / "p", "--json", *init, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["member"] == "lender-1"
    second = plimsoll(*init, "--home", tmp_path / "b", "--passphrase-file", tmp_path / "p", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert (tmp_path / "b" / "config.toml").exists()


def test_a_nodes_failure_keeps_its_exit_code_and_its_one_line(tmp_path: Path) -> None:
    done = plimsoll("--home", tmp_path / "none", "card", cwd=tmp_path)
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("plimsoll: ")


def test_a_folder_named_node_in_the_working_directory_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "__main__.py").write_text("print('gotcha')")
    (tmp_path / "node" / "__init__.py").touch()
    done = plimsoll("init", "--help", cwd=tmp_path)
    assert "gotcha" not in done.stdout
    assert "usage: plimsoll init" in done.stdout
