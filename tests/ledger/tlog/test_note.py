"""Signed notes: what is read, what is refused, and whose signatures count."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.tlog import cosignature, note
from ledger.tlog.note import Note, SignatureLine, Signer, VerifierKey, parse_note, verify_note
from tests.ledger.mutations import edited

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "note.json").read_text("utf-8"))
KEYS = [VerifierKey.parse(key) for key in VECTORS["keys"]]

EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

SIGNER = Signer.from_seed("example.com/log", bytes(32))
OTHER = Signer.from_seed("other.example", bytes([1]) * 32)
KEY_NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="+"), min_size=1, max_size=20
)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=60).map(
    lambda text: text + "\n"
)


def signed(text: str, *signers: Signer) -> Note:
    return Note(text, tuple(signer.sign(text) for signer in signers))


# The standard's example


def test_the_published_example_verifies():
    key = VerifierKey.parse(EXAMPLE_KEY)
    opened = parse_note(EXAMPLE)
    assert opened.text == "This is an example message.\n"
    assert verify_note(opened, [key]) == ((key, opened.signatures[0]),)
    assert opened.encode() == EXAMPLE
    assert (key.name, key.type, key.key_id.hex()) == ("example.com/foo", note.ED25519, "530d903a")
    assert str(key) == EXAMPLE_KEY


def test_changing_any_byte_of_a_note_fails_it():
    key = VerifierKey.parse(EXAMPLE_KEY)
    for position in range(len(EXAMPLE)):
        changed = EXAMPLE[:position] + bytes([EXAMPLE[position] ^ 1]) + EXAMPLE[position + 1 :]
        with pytest.raises(PlimsollError):
            verify_note(parse_note(changed), [key])


def test_the_worked_example_of_a_log_key():
    assert str(SIGNER.key) == "example.com/log+1dde4531+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"


# Vectors a second implementation reads


@pytest.mark.parametrize("case", VECTORS["valid"], ids=lambda case: repr(case["text"]))
def test_valid_vectors(case: dict):
    raw = case["note"].encode()
    opened = parse_note(raw)
    assert opened.text == case["text"]
    assert opened.encode() == raw
    assert [str(key) for key, _ in verify_note(opened, KEYS, cosignature.SCHEMES)] == case["verified"]


@pytest.mark.parametrize("case", VECTORS["malformed"], ids=lambda case: case["why"])
def test_malformed_vectors(case: dict):
    with pytest.raises(InvalidInput):
        parse_note(bytes.fromhex(case["bytes"]))


@pytest.mark.parametrize("case", VECTORS["unverified"], ids=lambda case: case["why"])
def test_unverified_vectors(case: dict):
    opened = parse_note(case["note"].encode())
    with pytest.raises(Unverified):
        verify_note(opened, KEYS, cosignature.SCHEMES)


# Text


@given(TEXTS, st.integers(1, 3))
def test_a_note_reads_back_whatever_its_text(text: str, copies: int):
    made = signed(text, *[Signer.from_seed(f"signer{n}", bytes([n]) * 32) for n in range(copies)])
    assert parse_note(made.encode()) == made
    assert len(verify_note(made, [SIGNER.key, Signer.from_seed("signer0", bytes(32)).key])) == 1


def test_the_last_blank_line_parts_text_from_signatures():
    inner = signed("inner\n", OTHER).encode().decode()
    outer = signed(inner, SIGNER)
    opened = parse_note(outer.encode())
    assert opened.text == inner
    verify_note(opened, [SIGNER.key])
    with pytest.raises(Unverified):
        verify_note(opened, [OTHER.key])


def test_only_a_newline_ends_a_line():
    text = "one\u2028two\u0085three  \n"
    opened = parse_note(signed(text, SIGNER).encode())
    assert opened.text == text
    verify_note(opened, [SIGNER.key])


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "cr\r\n", "nul\0\n", "unit\x1f\n", "\ud800\n"])
def test_a_text_no_note_can_hold_is_neither_signed_nor_wrapped(text: str):
    with pytest.raises(InvalidInput):
        SIGNER.sign(text)
    with pytest.raises(InvalidInput):
        Note(text, (OTHER.sign("x\n"),))


# Limits


def test_a_note_of_the_largest_size_is_read_and_one_byte_more_is_not():
    room = note.MAX_NOTE_BYTES - len(signed("\n", SIGNER).encode())
    made = signed("x" * room + "\n", SIGNER)
    assert len(made.encode()) == note.MAX_NOTE_BYTES
    assert parse_note(made.encode()) == made
    larger = signed("x" * (room + 1) + "\n", SIGNER)
    with pytest.raises(InvalidInput):
        larger.encode()
    with pytest.raises(InvalidInput):
        parse_note(b"x" + made.encode())


def test_a_note_has_one_to_256_signatures():
    lines = [SignatureLine(f"k{number}", bytes(4), b"x") for number in range(note.MAX_SIGNATURES + 1)]
    full = Note("x\n", tuple(lines[:-1]))
    assert parse_note(full.encode()) == full
    with pytest.raises(InvalidInput):
        Note("x\n", tuple(lines))
    with pytest.raises(InvalidInput):
        Note("x\n", ())
    with pytest.raises(InvalidInput):
        parse_note(full.encode() + f"{lines[-1]}\n".encode())


# Whose signatures count


def test_signatures_of_unknown_keys_are_ignored():
    same_name = Signer.from_seed(SIGNER.key.name, bytes([9]) * 32)
    made = signed("x\n", OTHER, same_name, SIGNER)
    assert verify_note(made, [SIGNER.key]) == ((SIGNER.key, made.signatures[2]),)


def test_a_key_id_or_a_name_alone_does_not_make_a_key_known():
    own = SIGNER.sign("x\n")
    renamed = SignatureLine("someone.else", own.key_id, bytes(64))
    assert len(verify_note(Note("x\n", (renamed, own)), [SIGNER.key])) == 1


def test_one_failing_signature_of_a_known_key_rejects_the_note():
    good, bad = SIGNER.sign("x\n"), OTHER.sign("y\n")
    for lines in [(good, bad), (bad, good), (good, SIGNER.sign("y\n")), (bad,)]:
        with pytest.raises(Unverified) as refusal:
            verify_note(Note("x\n", lines), [SIGNER.key, OTHER.key])
        assert refusal.value.reason == "BAD_SIGNATURE"


def test_no_known_signature_rejects_the_note():
    for keys in ([], [OTHER.key]):
        with pytest.raises(Unverified) as refusal:
            verify_note(signed("x\n", SIGNER), keys)
        assert refusal.value.reason == "NO_KNOWN_SIGNATURE"


def test_a_key_counts_once_however_often_it_signed():
    made = signed("x\n", SIGNER, SIGNER)
    assert len(verify_note(made, [SIGNER.key, SIGNER.key])) == 1


def test_a_signature_type_without_a_scheme_is_ignored():
    key = VerifierKey("example.com/pq", note.ML_DSA_44, bytes(1312))
    line = SignatureLine(key.name, key.key_id, bytes(2428))
    assert VerifierKey.parse(str(key)) == key
    assert len(verify_note(Note("x\n", (line, SIGNER.sign("x\n"))), [key, SIGNER.key])) == 1
    with pytest.raises(Unverified):
        verify_note(Note("x\n", (line,)), [key])


def test_two_keys_under_one_name_and_id_are_refused():
    forged = VerifierKey(SIGNER.key.name, note.ED25519, OTHER.key.public_key)
    object.__setattr__(forged, "key_id", SIGNER.key.key_id)  # as found by trying 2^32 keys
    with pytest.raises(InvalidInput):
        verify_note(signed("x\n", SIGNER), [SIGNER.key, forged])


def test_a_key_of_one_type_does_not_verify_under_another():
    cosigning = VerifierKey(SIGNER.key.name, note.COSIGNATURE_V1, SIGNER.key.public_key)
    assert cosigning.key_id != SIGNER.key.key_id
    with pytest.raises(Unverified):
        verify_note(signed("x\n", SIGNER), [cosigning])


# Adding signatures


def test_added_signatures_stand_behind_and_replace_older_ones_of_their_key():
    made = signed("x\n", SIGNER)
    old, new = SignatureLine("w", b"1234", b"old"), SignatureLine("w", b"1234", b"new")
    more = made.with_signatures([old, OTHER.sign("x\n")])
    assert more.signatures == (SIGNER.sign("x\n"), old, OTHER.sign("x\n"))
    assert more.with_signatures([new]).signatures == (SIGNER.sign("x\n"), new, OTHER.sign("x\n"))
    assert made.with_signatures([]) == made


# Keys


@given(KEY_NAMES, st.sampled_from([note.ED25519, note.COSIGNATURE_V1]))
@settings(max_examples=20)
def test_a_verifier_key_reads_back(name: str, kind: int):
    key = VerifierKey(name, kind, SIGNER.key.public_key)
    assert VerifierKey.parse(str(key)) == key


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\tb", "a\nb", "a\u00a0b", "a\u2028b", "a\u3000", "\x1f", "\0", "\ud800"]
)
def test_a_key_name_with_a_space_plus_or_control_character_is_refused(name: str):
    with pytest.raises(InvalidInput):
        VerifierKey(name, note.ED25519, SIGNER.key.public_key)
    with pytest.raises(InvalidInput):
        SignatureLine(name, bytes(4), b"x")
    with pytest.raises(InvalidInput):
        Signer.from_seed(name, bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/foo",
        EXAMPLE_KEY.replace("+530d903a+", "+530D903A+"),
        EXAMPLE_KEY.replace("+530d903a+", "+530d903b+"),
        EXAMPLE_KEY.replace("+530d903a+", "+530d903+"),
        EXAMPLE_KEY.replace("example.com/foo", "example.com/fop"),
        EXAMPLE_KEY.replace("example.com/foo", ""),
        EXAMPLE_KEY + "\n",
        EXAMPLE_KEY + " ",
        EXAMPLE_KEY[:-1] + "l",
        EXAMPLE_KEY.replace("AekyeRrm", "BekyeRrm"),
        "example.com/foo+530d903a+",
        "example.com/foo+530d903a+AQ==",
    ],
)
def test_a_misspelled_verifier_key_is_refused(text: str):
    with pytest.raises(InvalidInput):
        VerifierKey.parse(text)


@pytest.mark.parametrize("kind", [note.ED25519, note.COSIGNATURE_V1])
def test_a_verifier_key_of_small_order_is_refused(kind: int):
    with pytest.raises(InvalidInput, match="small order"):
        VerifierKey.parse(str(VerifierKey("example.com/weak", kind, b"\1" + bytes(31))))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_an_ed25519_key_of_another_length_is_refused(length: int):
    with pytest.raises(InvalidInput):
        VerifierKey("example.com", note.ED25519, bytes(length))


@pytest.mark.parametrize("kind", [-1, 256])
def test_a_signature_type_is_one_byte(kind: int):
    with pytest.raises(InvalidInput):
        VerifierKey("example.com", kind, bytes(32))


def test_where_a_refusal_happened_is_said():
    with pytest.raises(InvalidInput) as refusal:
        parse_note(EXAMPLE + b"junk\n")
    assert refusal.value.path == "signatures[1]"


# Secrets


def test_a_signer_shows_and_gives_away_no_secret():
    seed = bytes(range(32))
    signer = Signer.from_seed("example.com/log", seed)
    for shown in (repr(signer), str(signer)):
        assert shown == f"Signer({signer.key})"
        assert seed.hex() not in shown
    with pytest.raises(TypeError):
        pickle.dumps(signer)


def test_signing_is_deterministic():
    assert SIGNER.sign("x\n") == Signer.from_seed("example.com/log", bytes(32)).sign("x\n")


# Hostile bytes


@given(st.binary(max_size=200) | edited([EXAMPLE, signed("a\n\nb\n", SIGNER, OTHER).encode()]))
@example(b"\n\n\n")
@settings(max_examples=300)
def test_hostile_bytes_are_refused_or_read_to_the_byte(raw: bytes):
    try:
        opened = parse_note(raw)
    except PlimsollError:
        return
    assert opened.encode() == raw


@given(st.text(max_size=60) | edited([EXAMPLE_KEY.encode()]).map(lambda raw: raw.decode("utf-8", "replace")))
@settings(max_examples=200)
def test_a_hostile_verifier_key_is_refused_or_read_to_the_letter(text: str):
    try:
        key = VerifierKey.parse(text)
    except PlimsollError:
        return
    assert str(key) == text
