"""Founding: nobody is in force before everybody has signed the very same text."""

from __future__ import annotations

from itertools import permutations

import pytest

from ledger.consortium.founding import SignedManifest, merge_signed, open_manifest, read_signed_manifest
from ledger.errors import InvalidInput, NotFound, PlimsollError, Refused, Unready, Unverified
from ledger.tlog.note import Note, Signer, parse_note
from tests.lenders import lender, lenders, manifest, manifest_text, signed_manifest

COMPLETE = signed_manifest(3)
UNSIGNED = SignedManifest(manifest(3), ())


def signed_by(number):
    return UNSIGNED.signed_by(f"lender-{number}", lender(number).keyring.log_seed)


def test_a_manifest_that_everybody_signed_is_opened():
    assert open_manifest(COMPLETE.encode()) == manifest(3)


@pytest.mark.parametrize(
    "without", [("lender-1",), ("lender-2", "lender-3"), ("lender-1", "lender-2", "lender-3")], ids=len
)
def test_whoever_has_not_signed_is_named(without):
    with pytest.raises(Unready) as caught:
        open_manifest(signed_manifest(3, without=without).encode())
    assert caught.value.reason == "UNSIGNED"
    assert caught.value.message == f"not signed yet by {', '.join(without)}"


def test_an_unsigned_manifest_is_its_bare_text():
    assert UNSIGNED.encode() == manifest_text(3).encode()
    assert read_signed_manifest(UNSIGNED.encode()) == UNSIGNED


def test_copies_merge_to_the_same_bytes_in_any_order():
    copies = [signed_by(number) for number in (1, 2, 3)]
    assert {merge_signed(order).encode() for order in permutations(copies)} == {COMPLETE.encode()}
    assert merge_signed([copies[0], COMPLETE, UNSIGNED]) == COMPLETE


def test_signing_twice_changes_nothing():
    assert COMPLETE.signed_by("lender-1", lender(1).keyring.log_seed) == COMPLETE


def test_copies_of_different_manifests_do_not_merge():
    with pytest.raises(InvalidInput) as caught:
        merge_signed([UNSIGNED, SignedManifest(manifest(3, "Other"), ())])
    assert caught.value.reason == "DIFFERENT_MANIFESTS"
    with pytest.raises(InvalidInput):
        merge_signed([])


def test_a_signature_under_another_manifest_does_not_count():
    other = SignedManifest(manifest(3, "Other"), ()).signed_by("lender-1", lender(1).keyring.log_seed)
    moved = Note(manifest(3).text, other.signatures).encode()
    assert read_signed_manifest(moved).missing == ("lender-1", "lender-2", "lender-3")
    renamed = Signer.from_seed(manifest(3).origin("lender-1"), lender(1).keyring.log_seed).sign(other.manifest.text)
    with pytest.raises(Unverified):
        read_signed_manifest(Note(manifest(3).text, (renamed,)).encode())


def test_one_member_cannot_sign_for_another():
    with pytest.raises(InvalidInput):
        UNSIGNED.signed_by("lender-1", lender(2).keyring.log_seed)
    forged = Signer.from_seed(manifest(3).origin("lender-1"), lender(2).keyring.log_seed).sign(manifest(3).text)
    assert read_signed_manifest(Note(manifest(3).text, (forged,)).encode()).missing[0] == "lender-1"
    with pytest.raises(NotFound):
        UNSIGNED.signed_by("lender-4", lender(4).keyring.log_seed)


def test_a_cosigning_key_does_not_sign_manifests():
    line = Signer.from_seed(manifest(3).cosigner_key("lender-1").name, lender(1).keyring.cosign_seed)
    note = Note(manifest(3).text, (line.sign(manifest(3).text),)).encode()
    assert len(read_signed_manifest(note).missing) == 3


def test_a_card_signature_is_no_signature_of_a_manifest():
    line = Signer.from_seed("plimsoll/card/lender-1", lender(1).keyring.log_seed).sign(manifest(3).text)
    assert len(read_signed_manifest(Note(manifest(3).text, (line,)).encode()).missing) == 3


def test_strangers_signatures_are_dropped():
    stranger = Signer.from_seed("stranger", bytes(32)).sign(manifest(3).text)
    note = parse_note(COMPLETE.encode()).with_signatures([stranger]).encode()
    assert read_signed_manifest(note) == COMPLETE


@pytest.mark.parametrize("first", range(4))
def test_a_flipped_byte_anywhere_in_a_signed_manifest_is_refused(first):
    raw = COMPLETE.encode()
    for position in range(first, len(raw), 53):  # every line several times
        with pytest.raises(PlimsollError):
            open_manifest(raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :])


def test_a_successor_founds_nothing():
    digits = manifest(3).id.hex()
    text = manifest(3).text.replace(
        "name =", f'previous = "{digits}"\nconsortium = "{digits}"\nsequence = 1\nname =', 1
    )
    with pytest.raises(Refused) as caught:
        read_signed_manifest(text.encode())
    assert caught.value.reason == "NOT_FOUNDING"


@pytest.mark.parametrize("raw", [b"", b"\xff", b"# Plimsoll manifest v1\n", COMPLETE.encode()[:-1], lender(1).card])
def test_what_is_no_manifest_is_refused(raw):
    with pytest.raises(InvalidInput):
        read_signed_manifest(raw)


def test_six_members_sign_too():
    assert open_manifest(signed_manifest(6).encode()).policy.min_contributors == 3
    assert len(lenders(6)) == 6
