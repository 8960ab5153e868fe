"""Encryption of positions: known answers, sums, and that a ciphertext belongs to one author, place and epoch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import elgamal, group
from ledger.crypto.elgamal import Ciphertext
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.positions.fields import AMOUNTS, FIELDS, PACKED
from tests.ledger.group_strategies import nonzero_scalars, seeded

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "encryption.json").read_text())
KEYS = [bytes.fromhex(key) for key in VECTORS["private_keys"]]
PUBLIC_KEYS = [bytes.fromhex(key) for key in VECTORS["public_keys"]]
CONSORTIUM, EPOCH = bytes.fromhex(VECTORS["consortium"]), VECTORS["epoch"]
FIRST = VECTORS["ciphertexts"][0]

amounts = st.lists(st.integers(0, 2**40), min_size=7, max_size=7)


def ciphertext(vector: dict[str, Any]) -> Ciphertext:
    bodies = tuple(bytes.fromhex(body) for body in vector["bodies"])
    return Ciphertext(bytes.fromhex(vector["nonce_point"]), bodies, bytes.fromhex(vector["proof"]))


def place(vector: dict[str, Any]) -> tuple[bytes, int, str, bytes]:
    return CONSORTIUM, EPOCH, vector["member"], bytes.fromhex(vector["label"])


GOOD, PLACE = ciphertext(FIRST), place(FIRST)


def decrypted(nonce_point: bytes, bodies: tuple[bytes, ...]) -> list[bytes]:
    """The points m_f G, by the whole private keys."""
    return [group.sub(body, group.mul(key, nonce_point)) for key, body in zip(KEYS, bodies, strict=True)]


def plain(values: list[int]) -> list[bytes]:
    return [group.mul_base(group.scalar_from_int(value)) for value in values]


# Known answers and correctness


@pytest.mark.parametrize("vector", VECTORS["ciphertexts"], ids=lambda vector: vector["member"])
def test_encryption_gives_the_known_answers(vector: dict[str, Any]) -> None:
    r, u = bytes.fromhex(vector["r"]), bytes.fromhex(vector["u"])
    made = elgamal.encrypt(PUBLIC_KEYS, vector["amounts"], r, u, *place(vector))
    assert made == ciphertext(vector)
    elgamal.verify(made, PUBLIC_KEYS, *place(vector))


def test_sums_are_the_known_answers() -> None:
    nonce_sum, bodies = elgamal.sum_ciphertexts(ciphertext(vector) for vector in VECTORS["ciphertexts"])
    assert nonce_sum.hex() == VECTORS["sum"]["nonce_point"]
    assert [body.hex() for body in bodies] == VECTORS["sum"]["bodies"]


@settings(max_examples=10)
@given(st.lists(st.tuples(amounts, nonzero_scalars), min_size=1, max_size=4))
def test_the_sum_of_ciphertexts_is_a_ciphertext_of_the_sums(lenders: list[tuple[list[int], bytes]]) -> None:
    made = [elgamal.encrypt(PUBLIC_KEYS, values, r, group.ONE, *PLACE) for values, r in lenders]
    for each in made:
        elgamal.verify(each, PUBLIC_KEYS, *PLACE)
    sums = [sum(column) for column in zip(*(values for values, _ in lenders), strict=True)]
    assert decrypted(*elgamal.sum_ciphertexts(made)) == plain(sums)


def test_zero_amounts_and_the_largest_encrypt() -> None:
    for values in ([0] * 7, [elgamal.PLAINTEXT_LIMIT - 1] * 7):
        made = elgamal.encrypt(PUBLIC_KEYS, values, KEYS[0], KEYS[1], *PLACE)
        elgamal.verify(made, PUBLIC_KEYS, *PLACE)
        assert decrypted(made.nonce_point, made.bodies) == plain(values)


# What is refused


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["why"])
def test_known_bad_ciphertexts_are_refused(vector: dict[str, Any]) -> None:
    bound = (bytes.fromhex(vector["consortium"]), vector["epoch"], vector["member"], bytes.fromhex(vector["label"]))
    with pytest.raises((InvalidInput, Unverified)):
        elgamal.verify(ciphertext(vector), PUBLIC_KEYS, *bound)


@pytest.mark.parametrize("position", range(4), ids=["consortium", "epoch", "member", "label"])
def test_a_ciphertext_belongs_to_one_place(position: int) -> None:
    elgamal.verify(GOOD, PUBLIC_KEYS, *PLACE)
    other = [bytes(32), EPOCH + 1, "another", bytes(16)]
    changed: Any = [*PLACE[:position], other[position], *PLACE[position + 1 :]]
    with pytest.raises(Unverified) as caught:
        elgamal.verify(GOOD, PUBLIC_KEYS, *changed)
    assert (caught.value.reason, caught.value.path) == ("BAD_PROOF", "proof")


@pytest.mark.parametrize("f", FIELDS)
def test_every_public_key_and_every_body_is_bound(f: int) -> None:
    keys = [*PUBLIC_KEYS]
    keys[f] = group.add(keys[f], group.BASE)
    with pytest.raises(Unverified):
        elgamal.verify(GOOD, keys, *PLACE)
    bodies = [*GOOD.bodies]
    bodies[f] = group.add(bodies[f], group.BASE)
    with pytest.raises(Unverified):
        elgamal.verify(replace(GOOD, bodies=tuple(bodies)), PUBLIC_KEYS, *PLACE)


@settings(max_examples=100)
@given(st.integers(0, 8 * (32 + 7 * 32 + 64) - 1))
def test_every_bit_of_a_ciphertext_counts(bit: int) -> None:
    raw = bytearray(GOOD.nonce_point + b"".join(GOOD.bodies) + GOOD.proof)
    raw[bit // 8] ^= 1 << bit % 8
    bodies = tuple(bytes(raw[32 * f : 32 * f + 32]) for f in range(1, 8))
    with pytest.raises(PlimsollError):
        elgamal.verify(Ciphertext(bytes(raw[:32]), bodies, bytes(raw[256:])), PUBLIC_KEYS, *PLACE)


BAD_ENCODINGS = [b"", bytes(31), bytes(33), bytes.fromhex("01" + "00" * 31), b"\xff" * 32, bytes(31) + b"\x80"]


@pytest.mark.parametrize("raw", [*BAD_ENCODINGS, group.IDENTITY])
def test_a_nonce_point_that_is_no_element_or_the_identity_is_refused_and_named(raw: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        elgamal.verify(replace(GOOD, nonce_point=raw), PUBLIC_KEYS, *PLACE)
    assert caught.value.path == "nonce_point"


@pytest.mark.parametrize("raw", BAD_ENCODINGS)
@pytest.mark.parametrize("f", [0, 6])
def test_a_body_that_is_no_element_is_refused_and_named(raw: bytes, f: int) -> None:
    bodies = (*GOOD.bodies[:f], raw, *GOOD.bodies[f + 1 :])
    with pytest.raises(InvalidInput) as caught:
        elgamal.verify(replace(GOOD, bodies=bodies), PUBLIC_KEYS, *PLACE)
    assert caught.value.path == f"bodies[{f}]"


def test_a_body_may_be_the_identity() -> None:
    keys = [group.mul_base(group.scalar_neg(group.ONE)), *PUBLIC_KEYS[1:]]
    made = elgamal.encrypt(keys, [5, 1, 1, 1, 1, 1, 1], group.scalar_from_int(5), KEYS[0], *PLACE)
    assert made.bodies[0] == group.IDENTITY
    elgamal.verify(made, keys, *PLACE)


@pytest.mark.parametrize("count", [0, 6, 8])
def test_there_are_exactly_seven_fields(count: int) -> None:
    seven, other = [1] * 7, [1] * count
    with pytest.raises(InvalidInput):
        elgamal.encrypt(PUBLIC_KEYS, other, KEYS[0], KEYS[1], *PLACE)
    with pytest.raises(InvalidInput):
        elgamal.encrypt([group.BASE] * count, seven, KEYS[0], KEYS[1], *PLACE)
    with pytest.raises(InvalidInput):
        elgamal.verify(replace(GOOD, bodies=(group.BASE,) * count), PUBLIC_KEYS, *PLACE)
    with pytest.raises(InvalidInput):
        elgamal.verify(GOOD, [group.BASE] * count, *PLACE)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_proof_is_64_bytes(size: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        elgamal.verify(replace(GOOD, proof=(GOOD.proof * 2)[:size]), PUBLIC_KEYS, *PLACE)
    assert caught.value.path == "proof"


@pytest.mark.parametrize("amount", [-1, 2**48])
def test_amounts_out_of_range_are_refused_and_named_without_their_value(amount: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        elgamal.encrypt(PUBLIC_KEYS, [0, 0, amount, 0, 0, 0, 0], KEYS[0], KEYS[1], *PLACE)
    assert caught.value.path == "amounts[2]"
    assert str(amount) not in str(caught.value)


@pytest.mark.parametrize("bad", [group.ZERO, group.ORDER, bytes(31)])
def test_nonces_that_hide_nothing_are_refused(bad: bytes) -> None:
    for r, u in ((bad, KEYS[0]), (KEYS[0], bad)):
        with pytest.raises(InvalidInput):
            elgamal.encrypt(PUBLIC_KEYS, [0] * 7, r, u, *PLACE)


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_label_is_16_bytes(size: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        elgamal.verify(GOOD, PUBLIC_KEYS, *PLACE[:3], bytes(size))
    assert caught.value.path == "label"


def test_nothing_adds_up_to_nothing() -> None:
    with pytest.raises(InvalidInput):
        elgamal.sum_ciphertexts([])


def test_a_copied_ciphertext_cannot_be_reproved_without_its_nonce() -> None:
    """The attack the proof is for: south-bank republishes north-bank's ciphertext as its own."""
    r_it_does_not_know = KEYS[3]
    forged = elgamal.encrypt(PUBLIC_KEYS, FIRST["amounts"], r_it_does_not_know, KEYS[4], *PLACE[:2], "thief", PLACE[3])
    with pytest.raises(Unverified):
        elgamal.verify(replace(GOOD, proof=forged.proof), PUBLIC_KEYS, *PLACE[:2], "thief", PLACE[3])


def test_nonces_differ_in_secret_randomness_label_amounts_and_from_each_other() -> None:
    rng = seeded(5)
    base: Any = (b"secret", rng(32), bytes(16), [1] * 7)
    others: list[Any] = [
        (b"Secret", *base[1:]),
        (base[0], rng(32), *base[2:]),
        (*base[:2], b"\1" * 16, base[3]),
        (*base[:3], [1] * 6 + [2]),
    ]
    nonces = [nonce for each in (base, *others) for nonce in elgamal.hedged_nonces(*each)]
    assert len(set(nonces)) == 2 * (1 + len(others))
    assert elgamal.hedged_nonces(*base) == tuple(nonces[:2])


def test_fields_are_numbered_and_named_as_in_the_design() -> None:
    named = ["outstanding", "monthly_due", "credit_limit", "tally_low", "tally_high", "band", "overdue_band"]
    assert [field.label for field in FIELDS] == named
    assert [int(field) for field in FIELDS] == list(range(7))
    assert (*AMOUNTS, *PACKED) == FIELDS
