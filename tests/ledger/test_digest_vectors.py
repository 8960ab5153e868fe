"""digests.json, which the second implementation in tests/second made."""

from __future__ import annotations

import json

import pytest
from plimsoll.v1 import sealed_pb2

from ledger.borrower.evaluation import batch_digest
from ledger.errors import PlimsollError
from ledger.positions import sealed_copy
from ledger.positions.loan import Loan, records_digest
from ledger.queries.inquiry import heads_digest
from ledger.tlog.checkpoint import Head
from tests.vectors import generate_digests

VECTORS = json.loads(generate_digests.FILE.read_text("utf-8"))


def test_the_committed_vectors_are_those_the_generator_makes():
    assert json.loads(json.dumps(generate_digests.vectors())) == VECTORS


@pytest.mark.parametrize("case", VECTORS["evaluation_batches"])
def test_batches_of_evaluations(case):
    elements = [bytes.fromhex(element) for element in case["elements"]]
    assert batch_digest(bytes.fromhex(case["consortium"]), case["epoch"], elements).hex() == case["batch_digest"]


@pytest.mark.parametrize("case", VECTORS["loan_records"], ids=lambda case: len(case["loans"]))
def test_loan_records(case):
    loans = [Loan.from_proto(sealed_pb2.Loan(**{**loan, "open": bool(loan["open"])})) for loan in case["loans"]]
    assert records_digest(bytes.fromhex(case["salt"]), loans).hex() == case["records_digest"]


@pytest.mark.parametrize("case", VECTORS["heads"])
def test_heads(case):
    heads = [Head(one["origin"], one["size"], bytes.fromhex(one["root"])) for one in case["heads"]]
    assert heads_digest(heads).hex() == case["heads_digest"]


@pytest.mark.parametrize("case", VECTORS["sealed_copies"], ids=["open", "closed"])
def test_sealed_copies(case):
    backup_key, consortium = bytes.fromhex(case["backup_key"]), bytes.fromhex(case["consortium"])
    label, box = bytes.fromhex(case["label"]), bytes.fromhex(case["sealed"])
    copy = sealed_copy.open_copy(box, backup_key, consortium, case["member"], label)
    assert copy.to_proto().SerializeToString(deterministic=True).hex() == case["position"]
    with pytest.raises(PlimsollError):
        sealed_copy.open_copy(box, backup_key, consortium, case["member"], label[::-1])
