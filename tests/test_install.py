"""The installed distribution: what a process started anywhere finds."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("package", ["ledger", "node", "client", "plimsoll.v1", "plimsoll.v1.peer_pb2_grpc"])
def test_a_process_started_in_any_folder_imports_this_repositorys_package(package: str, tmp_path: Path) -> None:
    code = f"import importlib; print(importlib.import_module({package!r}).__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(ROOT)


def test_the_installed_version_is_the_one_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version("plimsoll") == declared


def test_the_command_is_the_client() -> None:
    (command,) = entry_points(group="console_scripts", name="plimsoll")
    assert command.value == "client.cli:main"


@pytest.mark.parametrize("lock", ["build.lock", "requirements.lock", "fuzz.lock"])
def test_every_locked_package_has_one_version_and_hashes_and_names_no_place_to_fetch_from(lock: str) -> None:
    lines = (ROOT / "scripts" / lock).read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    assert "://" not in text
    for pin in re.split(r"\n(?=\S)", text):
        assert re.fullmatch(r"[a-z0-9-]+==\S+( ; [^\\]+)? (\\\s+--hash=sha256:[0-9a-f]{64}\s*)+", pin.strip()), pin


def test_everything_the_distribution_depends_on_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "scripts/requirements.lock").read_text(), re.MULTILINE))
    assert {re.match(r"[a-z0-9-]+", requirement)[0] for requirement in wanted} <= locked  # type: ignore[index]
