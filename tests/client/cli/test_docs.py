"""docs/cli.md names what the program has, and all of it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from plimsoll.v1 import lender_pb2

from client.cli.app import app
from client.cli.delegate import COMMANDS, node_command
from client.plain import exposure, plain
from ledger import errors
from ledger.errors import PlimsollError
from ledger.positions.feed import COLUMNS

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text()
PROGRAM = typer.main.get_command(app)


def commands(group: Any, prefix: str = "") -> dict[str, Any]:
    """By name, with its group's before: "audit run"."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{prefix}{name}": command} if inner is None else commands(command, f"{prefix}{name} ")
    return found


ALL = commands(PROGRAM)
OWN = [name for name in ALL if name not in COMMANDS]
#: Those that every command shares are told once.
SHARED = {"--home", "--passphrase-file", "--json", "--address", "--cert", "--key", "--ca", "--help", "-h", "--version"}


def section(name: str) -> str:
    return re.split(r"^## ", TEXT.split(f"\n## {name}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def options_of(name: str) -> set[str]:
    return {
        option
        for parameter in ALL[name].params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if "-" in option
    }


def test_every_command_is_in_the_table_and_no_other() -> None:
    table = TEXT.split("## Options", 1)[0]
    assert re.findall(r"^\| `([a-z -]+)` \|", table, re.MULTILINE) == [*COMMANDS, *OWN]


@pytest.mark.parametrize("name", OWN)
def test_every_option_of_a_command_is_told_and_exists(name: str) -> None:
    told = set(re.findall(r"--[a-z][a-z-]+|(?<=\[)-[a-z]\b", section(name)))
    assert told - SHARED <= options_of(name)
    assert options_of(name) - SHARED - told <= {"--peers", "--proofs"}  # defaults: their opposites are told


def test_the_shared_options_are_those_of_the_program() -> None:
    told = set(re.findall(r"--[a-z][a-z-]+", section("Options of all commands")))
    root = {option for parameter in PROGRAM.params for option in parameter.opts}
    assert told - {"--help"} == {option for option in root if option.startswith("--")}
    assert told <= SHARED


def test_every_exit_code_is_told() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", section("Errors and exit codes"), re.MULTILINE)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PlimsollError)]
    assert told == {0, 2, 130, *(kind.exit_code for kind in kinds)}


def test_the_columns_are_those_of_a_feed() -> None:
    assert ",".join(COLUMNS) in section("report")


def test_every_key_of_an_answer_is_told() -> None:
    told = set(re.findall(r"`([a-z_0-9]+)`", section("exposure")))
    keys = {*exposure(lender_pb2.ExposureResponse()), "consent_digest", "consent_salt", "transcript_file"}
    assert keys <= told


def test_every_key_of_a_summary_is_told() -> None:
    assert set(plain(lender_pb2.ReportSummary())) <= set(re.findall(r"`([a-z_0-9]+)`", section("report")))


def test_every_command_on_the_operators_page_exists_with_its_options() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text()
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).splitlines()
    typed = [words[1:] for line in lines if (words := shlex.split(line, comments=True))[:1] == ["plimsoll"]]
    assert {"propose", "approve", "lineage", "join", "rekey"} <= {words[0] for words in typed}
    for words in typed:
        name = " ".join(words[:2]) if " ".join(words[:2]) in OWN else words[0]
        used = {word for word in words if word.startswith("-") and word != "-"}
        assert used - SHARED <= (options_of(name) if name in OWN else node_options(name)), name


def node_options(name: str) -> set[str]:
    """Of a command that is the node's, by its own help."""
    wide = {**os.environ, "COLUMNS": "200"}
    told = subprocess.run([*node_command(name), "--help"], capture_output=True, text=True, check=True, env=wide)
    return set(re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*", told.stdout))
