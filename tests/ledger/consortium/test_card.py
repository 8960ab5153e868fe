"""Cards: a lender's public facts, and proof that it holds the secret halves of its keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from ledger.consortium.address import Address
from ledger.consortium.card import MAX_CARD_BYTES, TITLE, card_key_names, parse_card, sign_card
from ledger.consortium.member import render_member
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.tlog.note import Note, Signer, parse_note
from tests.ledger.mutations import edited
from tests.lenders import lender

ONE, TWO = lender(1), lender(2)
CARD = ONE.card
# A point of order 2, and y = p + 1 in place of 1: keys that check_ed25519_public_key refuses.
WEAK = [
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    b"\xee" + b"\xff" * 30 + b"\x7f",
]


def signed(text, log_seed=ONE.keyring.log_seed, cosign_seed=ONE.keyring.cosign_seed):
    names = card_key_names("lender-1")
    signers = [Signer.from_seed(name, seed) for name, seed in zip(names, (log_seed, cosign_seed), strict=True)]
    return Note(text, tuple(signer.sign(text) for signer in signers)).encode()


def text_with(**changes):
    return TITLE + render_member(replace(ONE.member, **changes))


def reason_of(raw):
    with pytest.raises(PlimsollError) as caught:
        parse_card(raw)
    return caught.value.reason


def test_a_card_says_what_was_put_on_it():
    assert parse_card(CARD) == ONE.member


def test_the_same_lender_has_the_same_card():
    assert ONE.card == CARD


def test_a_card_is_not_made_without_the_secret_keys():
    with pytest.raises(InvalidInput):
        sign_card(ONE.member, TWO.keyring.log_seed, ONE.keyring.cosign_seed)
    with pytest.raises(InvalidInput):
        sign_card(ONE.member, ONE.keyring.log_seed, TWO.keyring.cosign_seed)


def test_a_card_over_a_key_one_does_not_hold_is_refused():
    text = text_with(cosign_key=TWO.member.cosign_key)
    assert reason_of(signed(text)) == "UNSIGNED"
    assert reason_of(signed(text_with(log_key=TWO.member.log_key))) == "UNSIGNED"


@pytest.mark.parametrize("kept", [0, 1])
def test_one_signature_of_two_is_not_enough(kept):
    note = parse_note(CARD)
    with pytest.raises(Unverified) as caught:
        parse_card(Note(note.text, (note.signatures[kept],)).encode())
    assert caught.value.reason == "UNSIGNED"


def test_a_flipped_byte_anywhere_on_a_card_is_refused():
    for position in range(0, len(CARD), 3):
        with pytest.raises(PlimsollError):
            parse_card(CARD[:position] + bytes([CARD[position] ^ 1]) + CARD[position + 1 :])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "Lender-1"}, "BAD_NAME"),
        ({"name": "lender-2"}, "BAD_CA"),
        ({"address": Address("0.0.0.0", 1)}, "BAD_ADDRESS"),
        ({"address": Address("LOCALHOST", 1)}, "BAD_ADDRESS"),
        ({"log_key": WEAK[0]}, "BAD_PUBLIC_KEY"),
        ({"cosign_key": WEAK[1]}, "BAD_PUBLIC_KEY"),
        ({"log_key": b"short"}, "BAD_PUBLIC_KEY"),
        ({"cosign_key": ONE.member.log_key}, "SHARED_KEY"),
        ({"tls_ca": TWO.member.tls_ca}, "BAD_CA"),
        ({"tls_ca": b"x"}, "BAD_CA"),
    ],
)
def test_facts_that_break_a_rule_are_refused_even_when_signed(change, reason):
    assert reason_of(signed(text_with(**change))) == reason


@pytest.mark.parametrize("key", ["name", "address", "log_key", "cosign_key", "tls_ca"])
def test_every_fact_is_needed(key):
    text = "".join(line for line in text_with().splitlines(keepends=True) if not line.startswith(f"{key} ="))
    assert reason_of(signed(text)) == "MISSING_KEY"


def test_nothing_else_may_stand_on_a_card():
    assert reason_of(signed(text_with() + "more = 1\n")) == "UNKNOWN_KEY"


def test_another_signed_note_is_no_card():
    assert reason_of(signed(text_with().removeprefix(TITLE))) == "BAD_CARD"
    assert reason_of(signed("# Plimsoll card v2\n" + text_with().removeprefix(TITLE))) == "BAD_CARD"


def test_a_card_is_small():
    assert reason_of(CARD + b" " * MAX_CARD_BYTES) == "BAD_CARD"


@given(edited([CARD]))
def test_edited_bytes_are_the_same_card_or_refused(raw):
    try:
        member = parse_card(raw)
    except PlimsollError:
        return
    assert member == ONE.member
