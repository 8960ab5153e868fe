"""What makes this implementation a second one."""

from __future__ import annotations

import ast
from pathlib import Path

ALLOWED = {"cryptography", "google", "plimsoll", "pytest"}
STANDARD = {
    "__future__", "ast", "base64", "binascii", "collections", "copy", "dataclasses", "fractions", "functools",
    "hashlib", "hmac", "itertools", "json", "pathlib", "random", "re", "tomllib", "typing",
}  # fmt: skip


def imported(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""


def test_nothing_here_comes_from_the_first_implementation():
    files = list(Path(__file__).parent.glob("*.py"))
    assert len(files) > 20
    for file in files:
        for module in imported(file.read_text("utf-8")):
            own = module == "tests.second" or module.startswith("tests.second.")
            assert own or module.split(".")[0] in ALLOWED | STANDARD, (file.name, module)
