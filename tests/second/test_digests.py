"""Digests and sealed copies for which no other file has a known answer: digests.json, which was made from this folder's
own code: what it says of a digest is that it has not changed, and that a sealed copy opens to what was sealed."""

from __future__ import annotations

import zlib

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.second import inquiry, position, selection
from tests.second.vectors import flipped, load, unhex

VECTORS = load("digests")


@pytest.mark.parametrize("batch", VECTORS["evaluation_batches"], ids=lambda batch: str(len(batch["elements"])))
def test_batches(batch):
    consortium, elements = unhex(batch["consortium"]), unhex(batch["elements"])
    assert inquiry.evaluation_digest(consortium, batch["epoch"], elements).hex() == batch["batch_digest"]


@pytest.mark.parametrize("case", VECTORS["loan_records"], ids=lambda case: str(len(case["loans"])))
def test_loan_records_in_whatever_order(case):
    loans = [tuple(loan.values()) if isinstance(loan, dict) else tuple(loan) for loan in case["loans"]]
    for order in (loans, loans[::-1]):
        assert position.records_digest(unhex(case["salt"]), order).hex() == case["records_digest"]


@pytest.mark.parametrize("case", VECTORS["heads"])
def test_heads(case):
    heads = [(head["origin"], head["size"], unhex(head["root"])) for head in case["heads"]]
    assert selection.heads_digest(heads).hex() == case["heads_digest"]


@pytest.mark.parametrize("case", VECTORS["sealed_copies"], ids=lambda case: case["label"][:8])
def test_sealed_copies_open(case):
    place = (unhex(case["consortium"]), case["member"], unhex(case["label"]))
    key, aad = position.sealing(unhex(case["backup_key"]), *place)
    assert (key.hex(), aad.hex()) == (case["key"], case["aad"])
    sealed = unhex(case["sealed"])
    assert sealed[:12].hex() == case["nonce"]
    padded = ChaCha20Poly1305(key).decrypt(sealed[:12], sealed[12:], aad)
    length = int.from_bytes(padded[:4], "big")
    assert zlib.decompress(padded[4 : 4 + length]).hex() == case["position"]
    assert not any(padded[4 + length :])
    assert len(padded) in (512, 2048, 8192, 32768)
    with pytest.raises(InvalidTag):
        ChaCha20Poly1305(key).decrypt(sealed[:12], flipped(sealed[12:], -20 % len(sealed[12:])), aad)
