"""RFC 9497's proofs: its vectors, the shared ones, and every way to change a statement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import dleq, group, oprf
from ledger.crypto.group import BASE
from ledger.errors import InvalidInput, PlimsollError, Unverified
from tests.ledger import rfc9497
from tests.ledger.group_strategies import nonidentity_points, nonzero_scalars

FOLDER = Path(__file__).parents[2] / "vectors"
RFC = json.loads((FOLDER / "voprf_rfc9497.json").read_text())
SHARED = json.loads((FOLDER / "voprf_shared.json").read_text())
KEY, PUBLIC = bytes.fromhex(RFC["private_key"]), bytes.fromhex(RFC["public_key"])
NONCE = group.scalar_from_int(424242)
BLINDED = [bytes.fromhex(element) for element in SHARED["blinded_element"]]
EVALUATED = list(oprf.evaluate(KEY, BLINDED))
PROOF = dleq.generate_proof(KEY, BASE, PUBLIC, BLINDED, EVALUATED, NONCE)


def octets(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


@pytest.mark.parametrize("vector", RFC["vectors"], ids=["one", "another", "batch of two"])
def test_proofs_are_the_rfcs(vector: dict[str, Any]) -> None:
    blinded, evaluated = octets(vector["blinded_element"]), octets(vector["evaluation_element"])
    nonce = bytes.fromhex(vector["proof_random_scalar"])
    proof = dleq.generate_proof(KEY, BASE, PUBLIC, blinded, evaluated, nonce)
    assert proof.hex() == vector["proof"]
    dleq.verify_proof(BASE, PUBLIC, blinded, evaluated, proof)


@pytest.mark.parametrize("custodian", SHARED["custodians"], ids=lambda custodian: custodian["index"])
def test_custodians_proofs_hold_for_their_own_public_share_only(custodian: dict[str, Any]) -> None:
    share, public = bytes.fromhex(custodian["share"]), bytes.fromhex(custodian["public_share"])
    evaluated = octets(custodian["evaluation_element"])
    nonce = bytes.fromhex(custodian["proof_random_scalar"])
    proof = dleq.generate_proof(share, BASE, public, BLINDED, evaluated, nonce)
    assert proof.hex() == custodian["proof"]
    for other in SHARED["custodians"]:
        if other["index"] == custodian["index"]:
            dleq.verify_proof(BASE, public, BLINDED, evaluated, proof)
        else:
            with pytest.raises(Unverified):
                dleq.verify_proof(BASE, bytes.fromhex(other["public_share"]), BLINDED, evaluated, proof)


@settings(max_examples=10)
@given(nonzero_scalars, nonzero_scalars, st.lists(nonidentity_points, min_size=1, max_size=4))
def test_proofs_agree_with_the_rfc_in_plain_integers(key: bytes, nonce: bytes, blinded: list[bytes]) -> None:
    evaluated, public = oprf.evaluate(key, blinded), group.mul_base(key)
    proof = dleq.generate_proof(key, BASE, public, blinded, evaluated, nonce)
    as_int = group.int_from_scalar
    assert proof == rfc9497.proof(as_int(key), blinded, evaluated, as_int(nonce))
    dleq.verify_proof(BASE, public, blinded, evaluated, proof)


@given(nonzero_scalars, st.lists(nonidentity_points, min_size=1, max_size=4))
def test_the_key_holders_shortcut_gives_the_same_composites(key: bytes, blinded: list[bytes]) -> None:
    evaluated, public = oprf.evaluate(key, blinded), group.mul_base(key)
    fast = dleq.compute_composites_fast(key, public, blinded, evaluated)
    assert fast == dleq.compute_composites(public, blinded, evaluated)


Statement = dict[str, Any]
STATEMENT: Statement = {"a": BASE, "b": PUBLIC, "blinded": BLINDED, "evaluated": EVALUATED, "proof": PROOF}
OTHER = group.add(BASE, PUBLIC)


@pytest.mark.parametrize(
    "change",
    [
        {"a": OTHER},
        {"b": OTHER},
        {"blinded": [OTHER, BLINDED[1]]},
        {"blinded": BLINDED[::-1]},
        {"evaluated": [EVALUATED[0], OTHER]},
        {"evaluated": EVALUATED[::-1]},
        {"blinded": BLINDED[::-1], "evaluated": EVALUATED[::-1]},
        {"blinded": BLINDED[:1], "evaluated": EVALUATED[:1]},
        {"blinded": BLINDED + BLINDED[:1], "evaluated": EVALUATED + EVALUATED[:1]},
        {"evaluated": [group.add(EVALUATED[0], BASE), group.sub(EVALUATED[1], BASE)]},
    ],
)
def test_a_proof_serves_no_other_statement(change: Statement) -> None:
    dleq.verify_proof(**STATEMENT)
    with pytest.raises(Unverified) as caught:
        dleq.verify_proof(**{**STATEMENT, **change}, path="proof")
    assert (caught.value.reason, caught.value.path) == ("BAD_PROOF", "proof")


def test_an_element_evaluated_under_another_key_cannot_be_proved() -> None:
    wrong = [EVALUATED[0], *oprf.evaluate(NONCE, BLINDED[1:])]
    proof = dleq.generate_proof(KEY, BASE, PUBLIC, BLINDED, wrong, NONCE)
    with pytest.raises(Unverified):
        dleq.verify_proof(BASE, PUBLIC, BLINDED, wrong, proof)


@given(st.integers(0, 511))
def test_every_bit_of_a_proof_counts(bit: int) -> None:
    changed = bytearray(PROOF)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PlimsollError):
        dleq.verify_proof(BASE, PUBLIC, BLINDED, EVALUATED, bytes(changed))


@pytest.mark.parametrize("size", [0, 63, 65, 128])
def test_a_proof_is_64_bytes(size: int) -> None:
    with pytest.raises(InvalidInput):
        dleq.verify_proof(BASE, PUBLIC, BLINDED, EVALUATED, (PROOF * 2)[:size])


def test_batches_that_do_not_pair_up_or_are_empty_are_refused() -> None:
    for blinded, evaluated in ((BLINDED, EVALUATED[:1]), (BLINDED[:1], EVALUATED), ([], [])):
        with pytest.raises(InvalidInput) as caught:
            dleq.verify_proof(BASE, PUBLIC, blinded, evaluated, PROOF)
        assert caught.value.reason == "BAD_BATCH"


def test_the_nonce_changes_with_key_randomness_and_batch() -> None:
    arguments = [
        (KEY, bytes(32), BLINDED),
        (NONCE, bytes(32), BLINDED),
        (KEY, b"\1" * 32, BLINDED),
        (KEY, bytes(32), BLINDED[::-1]),
    ]
    assert len({dleq.hedged_nonce(*each) for each in arguments}) == len(arguments)
