"""docs/founding.md, taken at its word: its commands are run, its tables compared with the program."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from ledger.consortium.founding import open_manifest
from ledger.consortium.policy import Policy, default_policy
from ledger.homes.config import Config

GUIDE = (Path(__file__).resolve().parents[1] / "docs" / "founding.md").read_text()


def first_column(header: str) -> list[str]:
    """The names in the first column of the table with this header."""
    rows = GUIDE.split(f"| {header} |")[1].split("\n\n")[0].split("\n")[2:]
    return [name for row in rows for name in row.split("|")[1].replace(" ", "").split(",")]


@pytest.mark.process
def test_whoever_types_the_commands_founds_a_consortium(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    assert len(blocks) == 6
    command = tmp_path / "bin" / "plimsoll"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m node "$@"\n')
    command.chmod(stat.S_IRWXU)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PLIMSOLL_")}
    environment |= {"PATH": f"{command.parent}:{os.environ['PATH']}", "PLIMSOLL_PASSPHRASE": "correct horse"}
    script = "set -eu\n" + "\n".join(blocks)
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=100)
    for number in (1, 2, 3):
        manifest = open_manifest((tmp_path / f"lender-{number}" / "manifest.note").read_bytes())
        assert manifest.name == "Example Consortium"
        assert manifest.policy.queries_per_borrower == 5
    assert (tmp_path / "alice" / "auditor-alice.key").exists()


def test_every_setting_of_the_policy_is_explained_with_its_default() -> None:
    assert first_column("policy") == [field.name for field in fields(Policy)]
    for field in fields(Policy):
        default = getattr(default_policy(3), field.name)
        shown = re.search(rf"^\| {field.name} \| ([^|]+) \|", GUIDE, re.MULTILINE)
        assert shown is not None
        if isinstance(default, tuple):
            assert shown[1] == ", ".join(map(str, default))
        else:
            assert int(shown[1].split(";")[0].replace(",", "")) == default


def test_every_key_of_the_config_is_explained() -> None:
    explained = first_column("key | default")
    assert sorted(explained) == sorted(field.name for field in fields(Config))
