"""The verifier in Go, built where Go and its log packages are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("verify_tiles.go")
GOPATH = Path("/usr/share/gocode")  # of Debian's packages

Verify = Callable[[Sequence[Sequence[object]]], list[str]]
"""Jobs for one process of the verifier; its answers."""


def built(folder: Path) -> Verify:
    """Built into a folder; skips the test where that cannot be."""
    if shutil.which("go") is None or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("needs Go and its module golang.org/x/mod (Debian: golang-go, golang-golang-x-mod-dev)")
    program = folder / "verify_tiles"
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(GOPATH), "GOFLAGS": ""}
    environment.setdefault("GOCACHE", str(folder / "cache"))
    subprocess.run(["go", "build", "-o", program, SOURCE], env=environment, check=True, timeout=100)

    def run(jobs: Sequence[Sequence[object]]) -> list[str]:
        lines = "".join("\t".join(map(str, job)) + "\n" for job in jobs)
        answers = subprocess.run([program], input=lines, capture_output=True, text=True, check=True, timeout=100)
        found = answers.stdout.splitlines()
        assert len(found) == len(jobs)
        return found

    return run
