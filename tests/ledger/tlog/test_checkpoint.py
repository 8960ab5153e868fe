"""Heads: the worked example, what may be signed and opened, and the names of logs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import (
    Head,
    SignedHead,
    head_text,
    log_origin,
    open_head,
    parse_head_text,
    parse_origin,
    sign_head,
)
from ledger.tlog.cosignature import Cosignature, Cosigner
from ledger.tlog.note import Note, Signer, VerifierKey
from tests.ledger.mutations import edited

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "head.json").read_text("utf-8"))
LOG_KEY = VerifierKey.parse(VECTORS["log_key"])
COSIGNER_KEYS = [VerifierKey.parse(key) for key in VECTORS["cosigner_keys"]]

EXAMPLE = """example.com/log
3
NmQuc8JUCrEh46a/lUWwokmCzYMOsT080Z3jzmwCHsE=

— example.com/log Hd5FMT/qR4cWAfAVpSCqz9s0a9eM7fXyriFDMDWUpNrL8O5QGEEABSMtloRvtP4zBKBbjwWCb/g6g/byA/R2DPlMqwI=
— example.com/log mQamtwAAAABlU/EAxzgU4aUsUYnrWFNwLTGbDtqefbLCiAmwVAt/62jTdAiygLYNYuWHH8AdMmPIijuofnDzBsREBtllAlGd\
9LfGBw==
"""
TIME = 1_700_000_000
SIGNER = Signer.from_seed("example.com/log", bytes(32))
COSIGNER = Cosigner.from_seed("example.com/log", bytes(32))
WITNESS = Cosigner.from_seed("witness.example/w1", bytes([2]) * 32)
HEAD = Head("example.com/log", 3, merkle.root_of([merkle.leaf_hash(entry) for entry in (b"a", b"b", b"c")]))
TEXT = head_text(HEAD)
ID = "ab" * 32


def cosigned(*cosigners: Cosigner, time: int = TIME) -> bytes:
    lines = [cosigner.cosign(TEXT, time) for cosigner in cosigners]
    return sign_head(HEAD, SIGNER).note.with_signatures(lines).encode()


# The worked example


def test_the_worked_example_is_made_to_the_byte():
    assert cosigned(COSIGNER) == EXAMPLE.encode()


def test_the_worked_example_opens():
    opened = open_head(EXAMPLE.encode(), SIGNER.key, [COSIGNER.key])
    assert opened.head == HEAD
    assert opened.cosignatures == (Cosignature(COSIGNER.key, TIME),)
    assert opened.note.encode() == EXAMPLE.encode()


def test_changing_any_byte_of_a_head_fails_it():
    raw = EXAMPLE.encode()
    for position in range(len(raw)):
        changed = raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        try:
            opened = open_head(changed, SIGNER.key, [COSIGNER.key])
        except PlimsollError:
            continue
        # All that can be lost unseen is a cosignature line, by becoming one of an unknown key.
        assert (opened.head, opened.cosignatures) == (HEAD, ())


# Vectors a second implementation reads


@pytest.mark.parametrize("case", VECTORS["valid"], ids=lambda case: f"size {case['size']}")
def test_valid_vectors(case: dict):
    raw = case["note"].encode()
    opened = open_head(raw, LOG_KEY, COSIGNER_KEYS)
    assert (opened.head.size, opened.head.root.hex()) == (case["size"], case["root"])
    assert [{"key": str(each.key), "time": each.time} for each in opened.cosignatures] == case["cosigned"]
    assert opened.note.encode() == raw


@pytest.mark.parametrize("case", VECTORS["malformed"], ids=lambda case: case["why"])
def test_malformed_vectors(case: dict):
    with pytest.raises(InvalidInput):
        open_head(case["note"].encode(), LOG_KEY, COSIGNER_KEYS)


@pytest.mark.parametrize("case", VECTORS["unverified"], ids=lambda case: case["why"])
def test_unverified_vectors(case: dict):
    with pytest.raises(Unverified):
        open_head(case["note"].encode(), LOG_KEY, COSIGNER_KEYS)


# Text


@given(st.integers(1, merkle.MAX_SIZE), st.binary(min_size=32, max_size=32))
def test_a_head_reads_back(size: int, root: bytes):
    head = Head("plimsoll/x/y", size, root)
    assert parse_head_text(head_text(head)) == head


def test_a_head_of_no_entries_has_the_root_of_nothing():
    assert parse_head_text(head_text(Head("x", 0, merkle.EMPTY_ROOT))).size == 0
    with pytest.raises(InvalidInput):
        Head("x", 0, bytes(32))


@pytest.mark.parametrize(
    "change",
    [
        {"size": -1},
        {"size": 1 << 63},
        {"root": b""},
        {"root": bytes(31)},
        {"origin": ""},
        {"origin": "a b"},
        {"origin": "a+b"},
    ],
)
def test_a_head_that_cannot_be_is_not_made(change: dict):
    with pytest.raises(InvalidInput):
        dataclasses.replace(HEAD, **change)


def test_extension_lines_are_refused_by_name():
    with pytest.raises(InvalidInput) as refusal:
        parse_head_text(TEXT + "more\n")
    assert refusal.value.reason == "EXTENSION_LINES"


@given(st.text(max_size=80) | edited([TEXT.encode()]).map(lambda raw: raw.decode("utf-8", "replace")))
@settings(max_examples=200)
def test_a_hostile_text_is_refused_or_read_to_the_letter(text: str):
    try:
        head = parse_head_text(text)
    except PlimsollError:
        return
    assert head_text(head) == text


# Signing and opening


def test_a_head_signed_again_is_the_same_bytes():
    again = Signer.from_seed("example.com/log", bytes(32))
    assert sign_head(HEAD, SIGNER).note.encode() == sign_head(HEAD, again).note.encode()


def test_what_is_signed_opens():
    signed = sign_head(HEAD, SIGNER)
    opened = open_head(signed.note.encode(), SIGNER.key)
    assert (opened, opened.note, opened.cosignatures) == (signed, signed.note, ())


def test_a_head_is_signed_by_its_own_logs_key_only():
    with pytest.raises(InvalidInput):
        sign_head(HEAD, Signer.from_seed("example.com/log2", bytes(32)))


def test_a_head_of_another_log_is_refused_even_under_the_right_key():
    text = TEXT.replace("example.com/log", "example.com/log2")
    with pytest.raises(Unverified) as refusal:
        open_head(Note(text, (SIGNER.sign(text),)).encode(), SIGNER.key)
    assert refusal.value.reason == "WRONG_ORIGIN"


def test_cosignatures_do_not_replace_the_logs_signature():
    raw = Note(TEXT, (COSIGNER.cosign(TEXT, TIME), WITNESS.cosign(TEXT, TIME))).encode()
    with pytest.raises(Unverified) as refusal:
        open_head(raw, SIGNER.key, [COSIGNER.key, WITNESS.key])
    assert refusal.value.reason == "NO_LOG_SIGNATURE"


def test_unknown_cosigners_are_ignored_and_passed_on():
    raw = cosigned(COSIGNER, WITNESS)
    opened = open_head(raw, SIGNER.key, [WITNESS.key])
    assert opened.cosignatures == (Cosignature(WITNESS.key, TIME),)
    assert opened.note.encode() == raw


def test_a_cosigner_counts_once():
    lines = (SIGNER.sign(TEXT), WITNESS.cosign(TEXT, TIME), WITNESS.cosign(TEXT, TIME + 1))
    opened = open_head(Note(TEXT, lines).encode(), SIGNER.key, [WITNESS.key, WITNESS.key])
    assert opened.cosignatures == (Cosignature(WITNESS.key, TIME),)


def test_a_failing_cosignature_of_a_known_key_rejects_the_head():
    forged = Note(TEXT, (SIGNER.sign(TEXT), WITNESS.cosign(TEXT + "x\n", TIME))).encode()
    with pytest.raises(Unverified):
        open_head(forged, SIGNER.key, [WITNESS.key])
    assert open_head(forged, SIGNER.key).head == HEAD


def test_two_cosigners_of_one_public_key_are_refused():
    twin = Cosigner.from_seed("witness.example/w2", bytes([2]) * 32)
    with pytest.raises(InvalidInput) as refusal:
        open_head(cosigned(WITNESS), SIGNER.key, [WITNESS.key, twin.key])
    assert refusal.value.reason == "SHARED_KEY"


def test_keys_of_the_wrong_type_are_refused():
    for log_key, cosigners in [(COSIGNER.key, []), (SIGNER.key, [SIGNER.key])]:
        with pytest.raises(InvalidInput):
            open_head(EXAMPLE.encode(), log_key, cosigners)


def test_two_signed_heads_are_equal_if_their_heads_are_whatever_their_signature_lines():
    few, many = open_head(cosigned(), SIGNER.key), open_head(cosigned(WITNESS), SIGNER.key, [WITNESS.key])
    assert few == many
    assert hash(few) == hash(many)
    other = Head(HEAD.origin, 4, HEAD.root)
    assert few != SignedHead(other, few.note)


@given(edited([EXAMPLE.encode()]) | st.binary(max_size=100))
@settings(max_examples=200)
def test_hostile_bytes_never_open_as_another_head(raw: bytes):
    try:
        opened = open_head(raw, SIGNER.key, [COSIGNER.key])
    except PlimsollError:
        return
    assert opened.head == HEAD


# Names of logs


def test_the_names_of_a_members_logs():
    assert log_origin(ID, "north-bank") == f"plimsoll/{ID}/north-bank"
    assert log_origin(ID, "north-bank", 2) == f"plimsoll/{ID}/north-bank.2"


@given(st.from_regex(r"[a-z0-9.\-行]{1,12}", fullmatch=True), st.integers(1, 1000))
def test_an_origin_reads_back_and_names_one_log(member: str, incarnation: int):
    try:
        origin = log_origin(ID, member, incarnation)
    except InvalidInput:
        assert member.rpartition(".")[2].isdecimal()
        return
    assert parse_origin(origin) == (ID, member, incarnation)


@pytest.mark.parametrize("member", ["", "a b", "a+b", "a/b", "a\n", "a.2", "a.1", "a.10"])
def test_a_member_name_that_would_confuse_logs_is_refused(member: str):
    with pytest.raises(InvalidInput):
        log_origin(ID, member)


@pytest.mark.parametrize("consortium", ["", "ab", "AB" * 32, "ab" * 33, "zz" * 32, "ab" * 32 + "\n"])
def test_a_consortium_id_is_64_lowercase_hex_digits(consortium: str):
    with pytest.raises(InvalidInput):
        log_origin(consortium, "member")


@pytest.mark.parametrize("incarnation", [0, -1])
def test_incarnations_count_from_one(incarnation: int):
    with pytest.raises(InvalidInput):
        log_origin(ID, "member", incarnation)


@pytest.mark.parametrize(
    "origin",
    ["", "example.com/log", "plimsoll/ab/a", f"other/{ID}/a", f"plimsoll/{ID}"]
    + [f"plimsoll/{ID}/{member}" for member in ("", "a/b", "a.1", "a.2.3", ".2", "a." + "9" * 50, "a.2\n")],
)
def test_other_origins_name_no_members_log(origin: str):
    with pytest.raises(InvalidInput):
        parse_origin(origin)
