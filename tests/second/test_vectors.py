"""Every file of known answers is read by this second implementation."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.second.vectors import FOLDER

#: The file's name in tests/vectors, and which test here holds it against the second implementation.
READ_BY = {
    "ceremony": "test_ceremony",
    "challenges": "test_challenges",
    "changes": "test_changes",
    "decryption": "test_sums",
    "digests": "test_digests",
    "encryption": "test_sums",
    "head": "test_formats",
    "labels": "test_sums",
    "lineage": "test_succession",
    "merkle": "test_formats",
    "note": "test_formats",
    "openings": "test_openings",
    "query": "test_transcript",
    "receipt": "test_formats",
    "release": "test_sums",
    "resharing": "test_resharing",
    "ristretto255_rfc9496": "test_group",
    "settled": "test_settled",
    "tiles": "test_tiles",
    "tlog_policy": "test_tiles",
    "voprf_rfc9497": "test_group",
    "voprf_shared": "test_group",
    "wellformed": "test_wellformed",
    "witness": "test_witness",
}
#: Read by a module for those tests.
THROUGH = {"query": "query_world"}


def names_loaded(module: str) -> set[str]:
    """The files that it loads as it is imported."""
    tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text("utf-8"))
    return {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "load"
        and isinstance(node.args[0], ast.Constant)
    }


def test_no_file_of_known_answers_is_left_unread():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(READ_BY)
    for name, test in READ_BY.items():
        assert name in names_loaded(THROUGH.get(name, test)), name
        source = (Path(__file__).parent / f"{test}.py").read_text("utf-8")
        assert THROUGH.get(name, "load") in source, name
