"""What makes this implementation a second one."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALLOWED = {"cryptography", "google", "plimsoll", "pytest"}
STANDARD = {
    "__future__", "argparse", "ast", "base64", "binascii", "collections", "copy", "dataclasses", "fractions",
    "functools", "hashlib", "hmac", "itertools", "json", "pathlib", "random", "re", "subprocess", "sys", "tomllib",
    "typing", "zlib",
}  # fmt: skip
#: Holds the two against each other; nothing imports it.
COMPARISON = "test_audit.py"


def imported(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""


def test_nothing_here_comes_from_the_first_implementation():
    files = [file for file in Path(__file__).parent.glob("*.py") if file.name != COMPARISON]
    assert len(files) > 40
    for file in files:
        for module in imported(file.read_text("utf-8")):
            own = module == "tests.second" or module.startswith("tests.second.")
            assert own or module.split(".")[0] in ALLOWED | STANDARD, (file.name, module)
            assert COMPARISON.removesuffix(".py") not in module


def test_the_auditor_runs_without_the_first_implementation():
    """Nor does what it imports import it."""
    code = "import sys, tests.second.audit; print(*{name.partition('.')[0] for name in sys.modules})"
    path = f"{ROOT}:{ROOT / 'protos'}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert "cryptography" in done.stdout.split()
    assert not {"ledger", "node", "client"} & set(done.stdout.split())
