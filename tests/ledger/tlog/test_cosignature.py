"""Cosignatures: the standard's message, the worked example, and what a changed byte does."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto.ed25519 import private_key, signature_is_valid
from ledger.errors import InvalidInput, Unverified
from ledger.tlog import cosignature, note
from ledger.tlog.cosignature import Cosignature, Cosigner, cosignature_of, verify_cosignature
from ledger.tlog.note import Note, SignatureLine, Signer, verify_note

TEXT = "example.com/log\n3\nNmQuc8JUCrEh46a/lUWwokmCzYMOsT080Z3jzmwCHsE=\n"
TIME = 1_700_000_000
COSIGNER = Cosigner.from_seed("example.com/log", bytes(32))
OTHER = Cosigner.from_seed("witness.example", bytes([2]) * 32)
LINE = (
    "— example.com/log mQamtwAAAABlU/EAxzgU4aUsUYnrWFNwLTGbDtqefbLCiAmwVAt/62jTdAiygLYNYuWHH8AdMmPIijuofnDzBsREBtllAlGd"
    "9LfGBw=="
)


def test_the_worked_example_of_a_cosigning_key():
    assert str(COSIGNER.key) == "example.com/log+9906a6b7+BDtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"


def test_the_worked_example_of_a_cosignature():
    line = COSIGNER.cosign(TEXT, TIME)
    assert str(line) == LINE
    assert SignatureLine.parse(LINE) == line
    assert verify_cosignature(TEXT, line, COSIGNER.key) == TIME
    assert cosignature_of(line, COSIGNER.key) == Cosignature(COSIGNER.key, TIME)


def test_the_signed_message_is_the_standards():
    payload = COSIGNER.cosign(TEXT, TIME).payload
    message = b"cosignature/v1\ntime 1700000000\n" + TEXT.encode()
    assert payload[:8] == TIME.to_bytes(8, "big")
    assert signature_is_valid(COSIGNER.key.public_key, payload[8:], message)


@given(st.integers(0, cosignature.MAX_TIME))
@settings(max_examples=30)
def test_a_cosignature_gives_back_its_time(time: int):
    assert verify_cosignature(TEXT, OTHER.cosign(TEXT, time), OTHER.key) == time


@pytest.mark.parametrize("time", [-1, cosignature.MAX_TIME + 1, (1 << 64) - 1])
def test_a_time_outside_the_standards_range_is_not_signed(time: int):
    with pytest.raises(InvalidInput):
        COSIGNER.cosign(TEXT, time)


def test_a_time_outside_the_standards_range_is_not_verified():
    time = cosignature.MAX_TIME + 1
    signature = private_key(bytes(32)).sign(f"cosignature/v1\ntime {time}\n{TEXT}".encode())
    line = SignatureLine(COSIGNER.key.name, COSIGNER.key.key_id, time.to_bytes(8, "big") + signature)
    with pytest.raises(InvalidInput):
        verify_cosignature(TEXT, line, COSIGNER.key)
    with pytest.raises(Unverified):
        verify_note(Note(TEXT, (line,)), [COSIGNER.key], cosignature.SCHEMES)


def test_changing_any_byte_of_a_payload_fails_it():
    line = COSIGNER.cosign(TEXT, TIME)
    for position in range(len(line.payload)):
        payload = bytearray(line.payload)
        payload[position] ^= 1
        with pytest.raises(Unverified):
            verify_cosignature(TEXT, SignatureLine(line.name, line.key_id, bytes(payload)), COSIGNER.key)


def test_another_text_fails():
    with pytest.raises(Unverified):
        verify_cosignature(TEXT.replace("\n3\n", "\n4\n"), COSIGNER.cosign(TEXT, TIME), COSIGNER.key)


@pytest.mark.parametrize("length", [1, 8, 71, 73])
def test_a_payload_of_another_length_is_refused(length: int):
    line = SignatureLine(COSIGNER.key.name, COSIGNER.key.key_id, bytes(length))
    with pytest.raises(InvalidInput):
        verify_cosignature(TEXT, line, COSIGNER.key)
    with pytest.raises(InvalidInput):
        cosignature_of(line, COSIGNER.key)
    with pytest.raises(Unverified):
        verify_note(Note(TEXT, (line,)), [COSIGNER.key], cosignature.SCHEMES)


def test_a_cosignature_under_another_name_or_key_fails():
    line = COSIGNER.cosign(TEXT, TIME)
    renamed = SignatureLine(OTHER.key.name, OTHER.key.key_id, line.payload)
    for wrong, key in [(line, OTHER.key), (renamed, COSIGNER.key), (renamed, OTHER.key)]:
        with pytest.raises(Unverified):
            verify_cosignature(TEXT, wrong, key)


def test_a_log_key_is_no_cosigning_key():
    with pytest.raises(InvalidInput):
        verify_cosignature(TEXT, COSIGNER.cosign(TEXT, TIME), Signer.from_seed("example.com/log", bytes(32)).key)


def test_a_log_signature_is_no_cosignature_nor_the_other_way_round():
    signer = Signer.from_seed("example.com/log", bytes(32))
    signature = signer.sign(TEXT).payload
    as_cosignature = SignatureLine(COSIGNER.key.name, COSIGNER.key.key_id, bytes(8) + signature)
    as_signature = SignatureLine(signer.key.name, signer.key.key_id, COSIGNER.cosign(TEXT, TIME).payload[8:])
    with pytest.raises(Unverified):
        verify_cosignature(TEXT, as_cosignature, COSIGNER.key)
    with pytest.raises(Unverified):
        verify_note(Note(TEXT, (as_signature,)), [signer.key])


def test_a_note_is_verified_with_both_types_at_once():
    signer = Signer.from_seed("example.com/log", bytes(32))
    made = Note(TEXT, (signer.sign(TEXT), COSIGNER.cosign(TEXT, TIME), OTHER.cosign(TEXT, TIME)))
    verified = verify_note(made, [COSIGNER.key, signer.key], cosignature.SCHEMES)
    assert [key for key, _ in verified] == [signer.key, COSIGNER.key]
    assert [key for key, _ in verify_note(made, [COSIGNER.key, signer.key], note.SCHEMES)] == [signer.key]


def test_what_no_note_can_hold_is_not_cosigned():
    with pytest.raises(InvalidInput):
        COSIGNER.cosign("no newline", TIME)


def test_a_cosigner_shows_and_gives_away_no_secret():
    assert repr(OTHER) == str(OTHER) == f"Cosigner({OTHER.key})"
    with pytest.raises(TypeError):
        pickle.dumps(OTHER)
