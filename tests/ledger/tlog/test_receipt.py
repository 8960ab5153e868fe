"""Receipts: they stand alone, read back to the byte, and fail for any other entry, index, path or head."""

from __future__ import annotations

import dataclasses
import json
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, open_head, sign_head
from ledger.tlog.cosignature import Cosignature, Cosigner
from ledger.tlog.note import MAX_NOTE_BYTES, Note, Signer, VerifierKey
from ledger.tlog.receipt import MAX_RECEIPT_BYTES, Receipt
from tests.ledger.mutations import edited

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "receipt.json").read_text("utf-8"))
LOG_KEY = VerifierKey.parse(VECTORS["log_key"])
COSIGNER_KEYS = [VerifierKey.parse(key) for key in VECTORS["cosigner_keys"]]

SIGNER = Signer.from_seed("example.com/log", bytes(32))
WITNESS = Cosigner.from_seed("witness.example/w1", bytes([2]) * 32)
ENTRIES = [b"entry %d" % number for number in range(13)]
HASHES = [merkle.leaf_hash(entry) for entry in ENTRIES]


def node(level: int, index: int) -> bytes:
    return merkle.root_of(HASHES[index << level : (index + 1) << level])


def head_note(size: int) -> bytes:
    return sign_head(Head(SIGNER.key.name, size, merkle.root_at(size, node)), SIGNER).note.encode()


def receipt(index: int, size: int) -> Receipt:
    return Receipt(index, merkle.inclusion_path(index, size, node), head_note(size))


@pytest.mark.parametrize("size", range(1, len(ENTRIES) + 1))
def test_every_entry_of_every_tree_has_a_receipt_that_verifies_alone(size: int):
    for index in range(size):
        read = Receipt.parse(receipt(index, size).encode())
        assert read == receipt(index, size)
        assert read.verify(ENTRIES[index], SIGNER.key).head.size == size


def test_a_receipt_is_the_standards_text():
    made = receipt(0, 2)
    head = head_note(2).decode()
    expected = f"c2sp.org/tlog-proof@v1\nindex 0\n{b64encode(HASHES[1]).decode()}\n\n{head}"
    assert made.encode().decode() == expected
    assert receipt(0, 1).encode() == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + head_note(1)


@pytest.mark.parametrize("case", VECTORS["valid"], ids=lambda case: f"{case['index']} of {case['size']}")
def test_valid_vectors(case: dict):
    raw = case["receipt"].encode()
    read = Receipt.parse(raw)
    opened = read.verify(bytes.fromhex(case["entry"]), LOG_KEY, COSIGNER_KEYS)
    assert (read.index, opened.head.size) == (case["index"], case["size"])
    assert opened.cosignatures == (Cosignature(COSIGNER_KEYS[0], 1_700_000_000),)
    assert read.encode() == raw


@pytest.mark.parametrize("case", VECTORS["malformed"], ids=lambda case: case["why"])
def test_malformed_vectors(case: dict):
    with pytest.raises(InvalidInput):
        Receipt.parse(case["receipt"].encode())


@pytest.mark.parametrize("case", VECTORS["unverified"], ids=lambda case: case["why"])
def test_unverified_vectors(case: dict):
    read = Receipt.parse(case["receipt"].encode())
    with pytest.raises(Unverified):
        read.verify(bytes.fromhex(case["entry"]), LOG_KEY, COSIGNER_KEYS)


def test_a_changed_field_fails_a_receipt():
    good = receipt(4, 13)
    flipped = bytes([good.path[0][0] ^ 1]) + good.path[0][1:]
    wrong = [
        dataclasses.replace(good, index=5),
        dataclasses.replace(good, path=(flipped, *good.path[1:])),
        dataclasses.replace(good, path=good.path[::-1]),
        dataclasses.replace(receipt(4, 13), head_note=signed_by_another(13)),
    ]
    for each in wrong:
        with pytest.raises(Unverified):
            each.verify(ENTRIES[4], SIGNER.key)
    with pytest.raises(Unverified):
        good.verify(ENTRIES[5], SIGNER.key)


def signed_by_another(size: int) -> bytes:
    other = Signer.from_seed(SIGNER.key.name, bytes([9]) * 32)
    return sign_head(Head(other.key.name, size, merkle.root_at(size, node)), other).note.encode()


def test_changing_any_byte_of_a_receipt_fails_it():
    raw = receipt(4, 13).encode()
    for position in range(len(raw)):
        changed = raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        with pytest.raises(PlimsollError):
            Receipt.parse(changed).verify(ENTRIES[4], SIGNER.key)


def test_a_receipt_of_the_wrong_shape_is_not_made():
    path, head = receipt(4, 13).path, head_note(13)
    for index, hashes, note in [
        (13, path, head),
        (-1, path, head),
        (4, path[1:], head),
        (4, (b"short", *path[1:]), head),
        (4, path, b""),
        (4, path, head_note(4)),
    ]:
        with pytest.raises(InvalidInput):
            Receipt(index, hashes, note)


def test_where_a_refusal_happened_is_said():
    with pytest.raises(InvalidInput) as refusal:
        Receipt.parse(receipt(4, 13).encode() + b"junk\n")
    assert refusal.value.path == "head.signatures[1]"


def test_cosignatures_travel_with_a_receipt():
    signed = sign_head(Head(SIGNER.key.name, 13, merkle.root_at(13, node)), SIGNER)
    note = signed.note.with_signatures([WITNESS.cosign(signed.note.text, 7)])
    made = Receipt(4, merkle.inclusion_path(4, 13, node), note.encode())
    assert made.verify(ENTRIES[4], SIGNER.key, [WITNESS.key]).cosignatures == (Cosignature(WITNESS.key, 7),)


def test_a_receipt_is_checked_under_its_own_head_only_when_that_was_verified_before():
    good = receipt(4, 13)
    verified = open_head(good.head_note, SIGNER.key).head
    good.check_under(ENTRIES[4], verified)
    with pytest.raises(Unverified):
        good.check_under(ENTRIES[5], verified)
    for other in [dataclasses.replace(verified, size=12), dataclasses.replace(verified, origin="x")]:
        with pytest.raises(Unverified) as refusal:
            good.check_under(ENTRIES[4], other)
        assert refusal.value.reason == "WRONG_HEAD"


def test_the_largest_head_still_fits_a_receipt_and_more_does_not():
    text = sign_head(Head(SIGNER.key.name, 1, HASHES[0]), SIGNER).note.text
    filler = SIGNER.sign(text)
    line = dataclasses.replace(filler, name="x", payload=b"x")
    room = MAX_NOTE_BYTES - len(Note(text, (filler, line)).encode())
    full = Note(text, (filler, dataclasses.replace(line, name="x" * (room + 1)))).encode()
    assert len(full) == MAX_NOTE_BYTES
    made = Receipt(0, (), full)
    assert Receipt.parse(made.encode()) == made
    with pytest.raises(InvalidInput) as refusal:
        Receipt.parse(b"c2sp.org/tlog-proof@v1\nindex 0\n" + b"A" * MAX_RECEIPT_BYTES)
    assert refusal.value.reason == "RECEIPT_TOO_LARGE"


@given(edited([receipt(4, 13).encode(), receipt(0, 1).encode()]) | st.binary(max_size=100))
@settings(max_examples=300)
def test_hostile_bytes_are_refused_or_read_to_the_byte(raw: bytes):
    try:
        read = Receipt.parse(raw)
    except PlimsollError:
        return
    assert read.encode() == raw


@given(edited([receipt(4, 13).encode()]))
@settings(max_examples=200)
def test_an_edited_receipt_proves_nothing_else(raw: bytes):
    try:
        opened = Receipt.parse(raw).verify(ENTRIES[4], SIGNER.key)
    except PlimsollError:
        return
    assert opened.head == open_head(head_note(13), SIGNER.key).head
