"""Merkle trees, notes, heads and receipts: merkle.json, note.json, head.json, receipt.json."""

from __future__ import annotations

import pytest

from tests.second import head, merkle, note
from tests.second.refusal import Refused
from tests.second.vectors import flipped, load, unhex

MERKLE, NOTES, HEADS, RECEIPTS = load("merkle"), load("note"), load("head"), load("receipt")
LEAVES = [merkle.leaf_hash(entry) for entry in unhex(MERKLE["entries"])]
ROOTS = {tree["size"]: bytes.fromhex(tree["root"]) for tree in MERKLE["trees"]}


def why(case):
    return case["why"]


@pytest.mark.parametrize("tree", MERKLE["trees"], ids=lambda tree: f"size {tree['size']}")
def test_roots_and_inclusion(tree):
    size = tree["size"]
    assert merkle.root(LEAVES[:size]) == ROOTS[size]
    for index, path in enumerate(unhex(tree["inclusion"])):
        assert merkle.root_from_inclusion(index, size, LEAVES[index], path) == ROOTS[size]
        for at in range(len(path)):
            bad = [*path[:at], flipped(path[at]), *path[at + 1 :]]
            assert merkle.root_from_inclusion(index, size, LEAVES[index], bad) != ROOTS[size]
        for bad in ([*path, bytes(32)], path[:-1]):
            if len(bad) != len(path):
                with pytest.raises(Refused):
                    merkle.root_from_inclusion(index, size, LEAVES[index], bad)


@pytest.mark.parametrize("tree", MERKLE["trees"], ids=lambda tree: f"size {tree['size']}")
def test_consistency(tree):
    new = tree["size"]
    for old, path in enumerate(unhex(tree["consistency"]), 1):
        old_root = merkle.root(LEAVES[:old])
        merkle.check_consistency(old, new, old_root, ROOTS[new], path)
        tampered = [[*path, bytes(32)], *([*path[:i], flipped(p), *path[i + 1 :]] for i, p in enumerate(path))]
        for bad in [*tampered, path[:-1]] if path else tampered:
            with pytest.raises(Refused):
                merkle.check_consistency(old, new, old_root, ROOTS[new], bad)
        with pytest.raises(Refused):
            merkle.check_consistency(old, new, flipped(old_root), ROOTS[new], path)
        with pytest.raises(Refused):
            merkle.check_consistency(old, new, old_root, flipped(ROOTS[new]), path)


NOTE_KEYS = [note.verifier_key(key) for key in NOTES["keys"]]


@pytest.mark.parametrize("case", NOTES["valid"])
def test_good_notes_open(case):
    opened = note.open_note(case["note"].encode(), NOTE_KEYS)
    assert opened.text == case["text"]
    assert list(opened.verified) == [note.verifier_key(key) for key in case["verified"]]


@pytest.mark.parametrize("case", NOTES["malformed"], ids=why)
def test_malformed_notes_are_refused(case):
    with pytest.raises(Refused, match="MALFORMED"):
        note.open_note(bytes.fromhex(case["bytes"]), NOTE_KEYS)


@pytest.mark.parametrize("case", NOTES["unverified"], ids=why)
def test_unverified_notes_are_refused(case):
    with pytest.raises(Refused, match="UNVERIFIED"):
        note.open_note(case["note"].encode(), NOTE_KEYS)


def test_no_byte_of_a_note_can_change():
    raw = NOTES["valid"][0]["note"].encode()
    for at in range(len(raw)):
        with pytest.raises(Refused):
            note.open_note(flipped(raw, at), NOTE_KEYS)


def keys_of(vectors):
    return note.verifier_key(vectors["log_key"]), [note.verifier_key(key) for key in vectors["cosigner_keys"]]


@pytest.mark.parametrize("case", HEADS["valid"], ids=lambda case: f"size {case['size']}")
def test_good_heads_open(case):
    opened = head.open_head(case["note"].encode(), *keys_of(HEADS))
    assert (opened.size, opened.root.hex()) == (case["size"], case["root"])
    assert opened.cosigned == {note.verifier_key(each["key"]): each["time"] for each in case["cosigned"]}


@pytest.mark.parametrize("case", HEADS["malformed"], ids=why)
def test_malformed_heads_are_refused(case):
    with pytest.raises(Refused, match="MALFORMED"):
        head.open_head(case["note"].encode(), *keys_of(HEADS))


@pytest.mark.parametrize("case", HEADS["unverified"], ids=why)
def test_unverified_heads_are_refused(case):
    with pytest.raises(Refused, match="UNVERIFIED"):
        head.open_head(case["note"].encode(), *keys_of(HEADS))


@pytest.mark.parametrize("case", RECEIPTS["valid"], ids=lambda case: f"{case['index']} of {case['size']}")
def test_good_receipts_open(case):
    entry, keys = bytes.fromhex(case["entry"]), keys_of(RECEIPTS)
    index, opened = head.open_receipt(case["receipt"].encode(), entry, *keys)
    assert (index, opened.size) == (case["index"], case["size"])
    with pytest.raises(Refused):
        head.open_receipt(case["receipt"].encode(), entry + b"x", *keys)


@pytest.mark.parametrize("case", RECEIPTS["malformed"], ids=why)
def test_malformed_receipts_are_refused(case):
    with pytest.raises(Refused):
        head.open_receipt(case["receipt"].encode(), bytes.fromhex("40414243"), *keys_of(RECEIPTS))


@pytest.mark.parametrize("case", RECEIPTS["unverified"], ids=why)
def test_unverified_receipts_are_refused(case):
    with pytest.raises(Refused):
        head.open_receipt(case["receipt"].encode(), bytes.fromhex(case["entry"]), *keys_of(RECEIPTS))
