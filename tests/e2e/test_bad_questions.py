"""Bad questions at a real node, alone and among good ones: each is refused by itself, and costs no inquiry."""

from __future__ import annotations

import itertools
import queue
from collections import Counter
from typing import Any

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2, lender_pb2_grpc

from client.sdk import exposure_request
from tests.cluster import CONSENT, Cluster
from tests.e2e.feeds import row
from tests.e2e.wire import refusal_of

LENDER = "lender-2"
PRE_LOAN = entry_pb2.PURPOSE_PRE_LOAN
NEW = itertools.count(600_000)

BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"borrower": ""}, "borrower", "BAD_IDENTITY"),
    ({"borrower": "test"}, "borrower", "BAD_IDENTITY"),
    ({"borrower": "test:" + 300 * "1"}, "borrower", "BAD_IDENTITY"),
    ({"borrower": "ssn:1"}, "borrower", "UNKNOWN_SCHEME"),
    ({"borrower": "cn-id:110105194912310021"}, "borrower", "BAD_CHECKSUM"),
    ({"purpose": 0}, "purpose", "BAD_PURPOSE"),
    ({"purpose": 6}, "purpose", "BAD_PURPOSE"),
    ({"purpose": -1}, "purpose", "BAD_PURPOSE"),
    ({"consent_digest": b""}, "consent_digest", "BAD_LENGTH"),
    ({"consent_digest": bytes(31)}, "consent_digest", "BAD_LENGTH"),
    ({"consent_digest": bytes(33)}, "consent_digest", "BAD_LENGTH"),
    ({"transcript": 3}, "transcript", "BAD_TRANSCRIPT_FORM"),
]


def request(**changes: Any) -> lender_pb2.ExposureRequest:
    facts = {"borrower": f"test:{next(NEW)}", "purpose": PRE_LOAN, "consent_digest": CONSENT, **changes}
    return lender_pb2.ExposureRequest(**facts)


@pytest.fixture(scope="module")
def stub(consortium: Cluster) -> Any:
    endpoint = consortium.endpoint(LENDER, "lender")
    return lender_pb2_grpc.LenderServiceStub(consortium.channel(LENDER, endpoint.key, endpoint.certificate))


@pytest.mark.parametrize(("changes", "path", "reason"), BAD)
def test_a_bad_question_is_refused_with_its_field(
    consortium: Cluster, stub: Any, changes: dict[str, Any], path: str, reason: str
) -> None:
    before = consortium.sizes(LENDER)[LENDER]
    failure = refusal_of(stub.Exposure, request(**changes))
    assert failure.brief == ("INVALID_ARGUMENT", reason, path)
    assert failure.message
    assert "1101051949" not in failure.message
    assert consortium.sizes(LENDER)[LENDER] == before


def test_bad_questions_of_a_stream_fail_by_themselves(consortium: Cluster, stub: Any) -> None:
    borrowers = [f"test:{next(NEW)}" for _ in range(len(BAD))]
    for member in ("lender-1", "lender-3"):
        rows = [row(borrower, 1000 + place, line=place + 2) for place, borrower in enumerate(borrowers)]
        assert consortium.report(member, rows).published == len(borrowers)
    consortium.wait_same_heads()
    requests = []
    for place, (borrower, (changes, _, _)) in enumerate(zip(borrowers, BAD, strict=True)):
        good = exposure_request(borrower, PRE_LOAN, CONSENT)
        requests.append(lender_pb2.ExposuresRequest(id=2 * place, request=good))
        requests.append(lender_pb2.ExposuresRequest(id=2 * place + 1, request=request(**changes)))
    answers = {answer.id: answer for answer in stub.Exposures(iter(requests), timeout=60)}
    assert len(answers) == len(requests)
    for place, (_, path, reason) in enumerate(BAD):
        response = answers[2 * place].response
        assert response.borrower == borrowers[place]
        assert response.amounts.outstanding == 2 * (1000 + place)
        failure = answers[2 * place + 1].failure
        assert (failure.status, failure.reason, failure.path) == ("INVALID_ARGUMENT", reason, path)
        assert failure.message


def test_questions_without_a_body_and_with_equal_ids_are_answered_one_by_one(stub: Any) -> None:
    empty = lender_pb2.ExposuresRequest(id=7)
    answers = list(stub.Exposures(iter([empty, empty, lender_pb2.ExposuresRequest()]), timeout=30))
    assert Counter(answer.id for answer in answers) == {7: 2, 0: 1}
    assert {answer.failure.reason for answer in answers} == {"BAD_IDENTITY"}


def test_an_answer_comes_while_the_stream_stays_open(stub: Any) -> None:
    """A caller may send one question, and the next when it has the answer to the first."""
    questions: queue.Queue[lender_pb2.ExposuresRequest] = queue.Queue()
    call = stub.Exposures(iter(questions.get, None), timeout=20)
    for number in range(3):
        questions.put(lender_pb2.ExposuresRequest(id=number, request=request()))
        assert next(call).id == number
    call.cancel()
    questions.put(None)  # type: ignore[arg-type]


def test_a_stream_without_questions_ends_well(stub: Any) -> None:
    assert list(stub.Exposures(iter([]), timeout=10)) == []


def test_a_caller_that_goes_away_costs_nobody_else_an_answer(consortium: Cluster, stub: Any) -> None:
    borrowers = [f"test:{next(NEW)}" for _ in range(60)]
    requests = [
        lender_pb2.ExposuresRequest(id=place, request=exposure_request(borrower, PRE_LOAN, CONSENT))
        for place, borrower in enumerate(borrowers)
    ]
    call = stub.Exposures(iter(requests), timeout=60)
    next(call)
    call.cancel()
    for borrower in borrowers[:20]:  # those under way when the caller went are asked again, in their turn
        assert consortium.ask(LENDER, borrower).lenders == 0


def test_a_borrower_nobody_knows_has_no_lenders_and_no_amounts(consortium: Cluster) -> None:
    answer = consortium.ask(LENDER, f"test:{next(NEW)}")
    assert (answer.lenders, answer.accounts, answer.includes_own) == (0, 0, False)
    assert not answer.HasField("amounts")
    assert answer.withheld == "FEW_CONTRIBUTORS"
    assert not answer.custodians_failed
    assert sum(count.days_30 for count in answer.inquiries) == 1


def test_one_borrower_spelled_in_several_ways_is_one(consortium: Cluster) -> None:
    old, new = "cn-id:110105491231002", "cn-id:11010519491231002X"
    assert consortium.report("lender-1", [row(old, 123_000)]).published == 1
    assert consortium.report("lender-4", [row("CN-ID: 110105 19491231 002x", 456_000)]).published == 1
    consortium.wait_same_heads()
    answer = consortium.ask(LENDER, "cn-id:１１０１０５１９４９１２３１００２Ｘ")
    assert answer.borrower == new
    assert answer.amounts.outstanding == 579_000
