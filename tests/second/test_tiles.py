"""Tiles and policies: tiles.json, tlog_policy.json."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.second import merkle, tiles, tlog_policy
from tests.second.refusal import Refused
from tests.second.vectors import load

TILES, POLICIES = load("tiles"), load("tlog_policy")
ENTRIES = [str(number).encode() * (1 + number % 7) for number in range(70_000)]


def why(case):
    return case["why"]


@pytest.mark.parametrize("case", TILES["logs"], ids=lambda case: f"size {case['size']}")
def test_tiles(case):
    entries = ENTRIES[: case["size"]]
    found = tiles.tiles(entries)
    lines = [f"{hashlib.sha256(found[path]).hexdigest()} {path}" for path in sorted(found)]
    assert len(found) == case["tiles"]
    assert case.get("lines", lines) == lines
    assert hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest() == case["listing"]
    assert merkle.root([merkle.leaf_hash(entry) for entry in entries]).hex() == case["root"]
    for path, raw in found.items():
        level, number, width = tiles.read_path(path)
        if level < 0:
            assert tiles.read_bundle(raw, width) == entries[256 * number : 256 * number + width]


@pytest.mark.parametrize("path", TILES["paths"])
def test_paths(path):
    assert list(tiles.read_path(path)) == TILES["paths"][path]
    assert tiles.path(*TILES["paths"][path]) == path


@pytest.mark.parametrize("path", TILES["no_paths"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(Refused):
        tiles.read_path(path)


@pytest.mark.parametrize("raw", [b"", b"\0", b"\0\0", b"\0\2x", b"\0\1xx", b"\0\1x\0\1x"])
def test_what_is_no_bundle_is_refused(raw):
    with pytest.raises(Refused):
        tiles.read_bundle(raw, 1)


@pytest.mark.parametrize("case", POLICIES["valid"], ids=why)
def test_good_policies_are_read(case):
    policy, refused = tlog_policy.read(base64.b64decode(case["policy"]))
    assert refused is None
    assert policy is not None
    assert all(policy.satisfied([name.encode() for name in names]) for names in case["satisfied"])
    assert not any(policy.satisfied([name.encode() for name in names]) for names in case["not_satisfied"])
    assert case.get("logs", [key.decode() for key in policy.logs]) == [key.decode() for key in policy.logs]


@pytest.mark.parametrize("case", POLICIES["refused"], ids=why)
def test_bad_policies_are_refused_in_the_same_line(case):
    policy, refused = tlog_policy.read(base64.b64decode(case["policy"]))
    assert (policy, refused) == (None, (case["reason"], case["line"]))
