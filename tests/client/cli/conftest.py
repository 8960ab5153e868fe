"""Runs the command in this process and catches what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from client.cli import main
from tests.client.cli.served import chain, serving  # noqa: F401 -- fixtures
from tests.client.fakes import FakeNode


@dataclass(frozen=True)
class Run:
    """One run of the command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """All of stdout."""
        return json.loads(self.out)


Plimsoll = Callable[..., Run]


@pytest.fixture
def plimsoll(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Plimsoll:
    """Runs `plimsoll <arguments>`, on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("PLIMSOLL_HOME", raising=False)

    def run(*arguments: object) -> Run:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return run


@pytest.fixture
def at_home(plimsoll: Plimsoll, home: Path, node: FakeNode) -> Plimsoll:
    """Runs it with --home of lender-1, whose node answers."""
    return lambda *arguments: plimsoll("--home", home, *arguments)
