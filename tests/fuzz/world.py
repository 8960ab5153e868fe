"""A small consortium that has lent and asked: where the samples of messages and transcripts come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from plimsoll.v1 import peer_pb2

from ledger.borrower.evaluation import Evaluation, batch_digest
from ledger.crypto import oprf
from ledger.queries.answer import Answer
from ledger.queries.query import Query
from tests.ledger.sample_consortium import Consortium, found, loan, small_table

ASKER = "lender-1"
BORROWER = "test:000009"


@dataclass(frozen=True)
class World:
    """request: as it goes to every custodian; responses: theirs by index; query: when it had none yet."""

    consortium: Consortium
    query: Query
    request: peer_pb2.DecryptRequest
    responses: dict[int, peer_pb2.DecryptResponse]
    answer: Answer
    evaluate: peer_pb2.EvaluateRequest


@cache
def world() -> World:
    """Three members; the asker has logged an evaluation, too."""
    consortium = found(3)
    for number in (1, 2, 3):
        consortium.report(f"lender-{number}", BORROWER, loan(1_000 * number))
    consortium.report("lender-3", BORROWER, loan(3_100, overdue=7))
    query, request = consortium.begin(ASKER, BORROWER)
    responses = {index: consortium.answer(index, ASKER, request) for index in (1, 2)}
    for index, response in responses.items():
        assert query.accept(index, response)
    answer = query.finish(small_table())
    return World(consortium, query, request, responses, answer, _evaluate(consortium))


def _evaluate(consortium: Consortium) -> peer_pb2.EvaluateRequest:
    elements = [oprf.hash_to_group(bytes([number])) for number in range(3)]
    digest = batch_digest(consortium.manifest.consortium, 1, elements)
    entry = Evaluation(consortium.now, len(elements), 1, digest).encode()
    return peer_pb2.EvaluateRequest(index=consortium.logs[ASKER].append(entry), elements=elements)
