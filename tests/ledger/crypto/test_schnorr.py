"""Proofs of knowledge: they hold for exactly one statement, context and domain."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import group, schnorr
from ledger.crypto.group import ORDER, L
from ledger.errors import InvalidInput, PlimsollError, Unverified
from tests.ledger import rfc9496
from tests.ledger.group_strategies import nonzero_scalars

DOMAIN = "plimsoll/v1/possession"
CONTEXT = (b"ceremony", 2, 5)
SECRET, NONCE = group.scalar_from_int(1234567), group.scalar_from_int(7654321)
PUBLIC = group.mul_base(SECRET)
PROOF = schnorr.prove(DOMAIN, CONTEXT, SECRET, NONCE)


@settings(max_examples=25)
@given(nonzero_scalars, nonzero_scalars, st.lists(st.one_of(st.binary(max_size=9), st.integers(0, 2**64 - 1))))
def test_whoever_knows_the_logarithm_can_prove_it(secret: bytes, nonce: bytes, context: list[bytes | int]) -> None:
    proof = schnorr.prove(DOMAIN, context, secret, nonce)
    schnorr.verify(DOMAIN, context, group.mul_base(secret), proof)


def test_a_proof_is_the_challenge_and_the_nonce_less_challenge_times_secret() -> None:
    commitment = rfc9496.encode(rfc9496.mul(7654321, rfc9496.BASE))
    challenge = group.int_from_scalar(group.hash_to_scalar(DOMAIN, *CONTEXT, PUBLIC, commitment))
    response = (7654321 - challenge * 1234567) % L
    assert challenge.to_bytes(32, "little") + response.to_bytes(32, "little") == PROOF


@pytest.mark.parametrize(
    ("domain", "context", "public"),
    [
        ("plimsoll/v1/other", CONTEXT, PUBLIC),
        (DOMAIN, (b"Ceremony", 2, 5), PUBLIC),
        (DOMAIN, (b"ceremony", 3, 5), PUBLIC),
        (DOMAIN, (b"ceremony", 2, 6), PUBLIC),
        (DOMAIN, (b"ceremony", 2), PUBLIC),
        (DOMAIN, CONTEXT, group.add(PUBLIC, group.BASE)),
        (DOMAIN, CONTEXT, group.mul(group.scalar_neg(group.ONE), PUBLIC)),
    ],
)
def test_a_proof_serves_nothing_else(domain: str, context: tuple[bytes | int, ...], public: bytes) -> None:
    schnorr.verify(DOMAIN, CONTEXT, PUBLIC, PROOF)
    with pytest.raises(Unverified) as caught:
        schnorr.verify(domain, context, public, PROOF, "possession")
    assert (caught.value.reason, caught.value.path) == ("BAD_PROOF", "possession")


@given(st.integers(0, 511))
def test_every_bit_of_a_proof_counts(bit: int) -> None:
    changed = bytearray(PROOF)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PlimsollError):
        schnorr.verify(DOMAIN, CONTEXT, PUBLIC, bytes(changed))


@pytest.mark.parametrize("half", [0, 32])
def test_a_proof_cannot_be_respelled_by_adding_the_order(half: int) -> None:
    respelled = int.from_bytes(PROOF[half : half + 32], "little") + int.from_bytes(ORDER, "little")
    changed = PROOF[:half] + respelled.to_bytes(32, "little") + PROOF[half + 32 :]
    with pytest.raises(InvalidInput) as caught:
        schnorr.verify(DOMAIN, CONTEXT, PUBLIC, changed, "possession")
    assert (caught.value.reason, caught.value.path) == ("BAD_SCALAR", "possession")


@pytest.mark.parametrize("size", [0, 32, 63, 65, 96])
def test_a_proof_is_64_bytes(size: int) -> None:
    with pytest.raises(InvalidInput):
        schnorr.verify(DOMAIN, CONTEXT, PUBLIC, (PROOF * 2)[:size])


def test_nothing_is_proved_of_the_identity() -> None:
    proof = schnorr.prove(DOMAIN, CONTEXT, group.ZERO, NONCE)
    with pytest.raises(InvalidInput) as caught:
        schnorr.verify(DOMAIN, CONTEXT, group.IDENTITY, proof)
    assert caught.value.reason == "IDENTITY_POINT"
