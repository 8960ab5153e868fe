"""Proofs that positions are well-formed: wellformed.json."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from tests.second import wellformed
from tests.second.refusal import Refused
from tests.second.vectors import load, unhex

VECTORS = load("wellformed")


def statement(values):
    sizes = {"epoch", "member", "edges"}
    read = {name: value if name in sizes else unhex(value) for name, value in values.items()}
    lists = {name: tuple(read[name]) for name in ("public_keys", "bodies", "edges")}
    return wellformed.Statement(**(read | lists))


GOOD = VECTORS["proofs"][0]
STATEMENT, PROOF = statement(GOOD["statement"]), base64.b64decode(GOOD["proof"])


def reason(about, proof):
    with pytest.raises(Refused) as refused:
        wellformed.verify(about, proof)
    return refused.value.code


def test_the_second_generator():
    assert wellformed.H.encoded.hex() == VECTORS["base"]


@pytest.mark.parametrize("vector", VECTORS["proofs"], ids=lambda vector: vector["statement"]["member"])
def test_known_proofs_hold(vector):
    about = statement(vector["statement"])
    assert about.digest().hex() == vector["statement_digest"]
    wellformed.verify(about, base64.b64decode(vector["proof"]))


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["why"])
def test_changed_proofs_are_refused_for_the_same_reason(vector):
    proof = bytearray(PROOF)
    for place, mask in enumerate(bytes.fromhex(vector.get("xor", ""))):
        proof[vector["at"] + place] ^= mask
    assert reason(statement(GOOD["statement"] | vector.get("statement", {})), bytes(proof)) == vector["reason"]


@pytest.mark.parametrize("vector", VECTORS["forged"], ids=lambda vector: vector["why"])
def test_forged_proofs_are_refused_for_the_same_reason(vector):
    assert reason(statement(vector["statement"]), base64.b64decode(vector["proof"])) == vector["reason"]


def test_other_lengths_are_refused():
    for proof in (b"", PROOF[:-1], PROOF + b"\0", PROOF[:-32]):
        assert reason(STATEMENT, proof) == "LENGTH"
    assert reason(replace(STATEMENT, bodies=STATEMENT.bodies[:6]), PROOF) == "STATEMENT"
