from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from plimsoll.v1 import audit_pb2, entry_pb2, lender_pb2, operator_pb2, peer_pb2

from client.credentials import Endpoint, endpoint_from_home
from client.sdk import Session
from ledger import errors
from ledger.errors import Exhausted, InvalidInput, PlimsollError, Unavailable
from tests.client.fakes import FakeNode, free_port

DIGEST = bytes(range(32))
KINDS = (
    errors.InvalidInput,
    errors.Refused,
    errors.NotFound,
    errors.Unavailable,
    errors.Unready,
    errors.Exhausted,
    errors.Unverified,
)


@pytest.fixture(scope="session")
def lender(home: Path) -> Endpoint:
    return endpoint_from_home(home, "lender")


@pytest.fixture(scope="session")
def operator(home: Path) -> Endpoint:
    return endpoint_from_home(home, "operator")


def test_a_question_arrives_with_the_callers_role_and_the_answer_comes_back(node: FakeNode, lender: Endpoint) -> None:
    node.answers["Exposure"] = lender_pb2.ExposureResponse(borrower="test:1", lenders=3)
    with Session(lender) as session:
        answer = session.exposure("test:1", entry_pb2.PURPOSE_SELF, DIGEST, lender_pb2.TRANSCRIPT_FORM_REDACTED)
    assert answer.lenders == 3
    ((method, caller, request),) = node.asked
    assert (method, caller.member, caller.role) == ("Exposure", "lender-1", "lender")
    assert request == lender_pb2.ExposureRequest(
        borrower="test:1",
        purpose=entry_pb2.PURPOSE_SELF,
        consent_digest=DIGEST,
        transcript=lender_pb2.TRANSCRIPT_FORM_REDACTED,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_is_the_nodes_own_error_again(node: FakeNode, lender: Endpoint, kind: type[PlimsollError]) -> None:
    node.answers["Exposure"] = kind("SOME_REASON", "it is so", "request.borrower")
    with Session(lender) as session, pytest.raises(kind) as caught:
        session.exposure("test:1", entry_pb2.PURPOSE_SELF, DIGEST)
    assert (caught.value.reason, caught.value.message, caught.value.path) == (
        "SOME_REASON",
        "it is so",
        "request.borrower",
    )


def test_a_node_that_is_not_there_is_unavailable(lender: Endpoint) -> None:
    nowhere = replace(lender, address=f"127.0.0.1:{free_port()}")
    with Session(nowhere) as session, pytest.raises(Unavailable) as caught:
        session.manifest()
    assert caught.value.reason == "UNREACHABLE"
    assert nowhere.address in caught.value.message


def test_a_node_of_another_member_is_not_talked_to(node: FakeNode, homes: dict[str, Path]) -> None:
    """lender-1 listens there, but the caller expects lender-2."""
    endpoint = endpoint_from_home(homes["lender-1"], "lender", member="lender-2", address=node.address)
    with Session(endpoint) as session, pytest.raises(Unavailable):
        session.manifest()
    assert node.asked == []


def test_a_call_that_takes_too_long_is_given_up(node: FakeNode, lender: Endpoint) -> None:
    release = threading.Event()
    node.answers["Exposure"] = lambda _: release.wait(10) and lender_pb2.ExposureResponse()
    with Session(lender) as session, pytest.raises(Unavailable) as caught:
        session.exposure("test:1", entry_pb2.PURPOSE_SELF, DIGEST, timeout=0.2)
    release.set()
    assert caught.value.reason == "TIMEOUT"


def test_a_closed_session_says_so(node: FakeNode, lender: Endpoint) -> None:
    session = Session(lender)
    session.close()
    with pytest.raises(Unavailable) as caught:
        session.manifest()
    assert caught.value.reason == "CLOSED"
    with pytest.raises(Unavailable):
        list(session.read("origin"))


def test_a_feed_arrives_with_its_options_first_and_in_order(node: FakeNode, lender: Endpoint) -> None:
    node.answers["Report"] = [
        lender_pb2.ReportResponse(phase="reading", done=3),
        lender_pb2.ReportResponse(phase="done", summary=lender_pb2.ReportSummary(read=3, accepted=3)),
    ]
    batches = [[lender_pb2.FeedRow(line=2), lender_pb2.FeedRow(line=3)], [lender_pb2.FeedRow(line=4)]]
    with Session(lender) as session:
        answers = list(session.report(batches, strict=True))
    assert [answer.phase for answer in answers] == ["reading", "done"]
    ((_, _, requests),) = node.asked
    assert [request.strict for request in requests] == [True, False, False]
    assert [[row.line for row in request.rows] for request in requests] == [[], [2, 3], [4]]


@pytest.mark.parametrize("error", [InvalidInput("BAD_FEED", "line 1: no"), OSError(5, "Input/output error")])
def test_a_feed_that_breaks_off_ends_the_call_before_the_node_takes_it_for_whole(
    node: FakeNode, lender: Endpoint, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def batches():
        yield [lender_pb2.FeedRow(line=2)]
        raise error

    received = []

    def report(_: object) -> list[lender_pb2.ReportResponse]:
        received.append("whole")
        return []

    node.answers["Report"] = report
    with Session(lender) as session, pytest.raises(type(error)) as caught:
        list(session.report(batches()))
    assert caught.value is error
    assert received == []
    assert caplog.records == []


def test_answers_of_a_stream_come_with_their_ids(node: FakeNode, lender: Endpoint) -> None:
    node.answers["Exposures"] = lambda requests: [
        lender_pb2.ExposuresResponse(id=each.id, response=lender_pb2.ExposureResponse(borrower=each.request.borrower))
        for each in reversed(requests)
    ]
    questions = [
        lender_pb2.ExposuresRequest(id=number, request=lender_pb2.ExposureRequest(borrower=f"test:{number}"))
        for number in range(5)
    ]
    with Session(lender) as session:
        answers = [(answer.id, answer.response.borrower) for answer in session.exposures(questions)]
    assert answers == [(number, f"test:{number}") for number in reversed(range(5))]


def test_a_refusal_in_the_middle_of_a_stream_is_the_nodes_own_error(node: FakeNode, lender: Endpoint) -> None:
    def answers(_: object):
        yield lender_pb2.ReportResponse(phase="reading", done=1)
        raise Exhausted("QUOTA", "used up")

    node.answers["Report"] = answers
    with Session(lender) as session:
        stream = session.report([])
        assert next(stream).done == 1
        with pytest.raises(Exhausted) as caught:
            next(stream)
    assert caught.value.reason == "QUOTA"


def test_the_audit_calls_say_what_they_ask_for(node: FakeNode, lender: Endpoint) -> None:
    node.answers |= {
        "LatestHeads": audit_pb2.LatestHeadsResponse(heads=[b"one", b"two"]),
        "Read": [audit_pb2.ReadResponse(block=peer_pb2.Block(origin="o", start=7, entries=[b"e"]))],
        "Consistency": audit_pb2.ConsistencyResponse(path=[DIGEST]),
        "Receipt": audit_pb2.ReceiptResponse(entry=b"e", receipt=b"r"),
    }
    with Session(lender) as session:
        assert session.manifest() == node.manifest_note
        assert session.heads() == [b"one", b"two"]
        assert [block.start for block in session.read("o", 7)] == [7]
        assert session.consistency("o", 3, 5) == [DIGEST]
        assert session.receipt("o", 4).receipt == b"r"
    requests = [request for _, _, request in node.asked]
    assert requests[2:] == [
        audit_pb2.ReadRequest(origin="o", start=7),
        audit_pb2.ConsistencyRequest(origin="o", old_size=3, new_size=5),
        audit_pb2.ReceiptRequest(origin="o", index=4),
    ]


def test_reading_can_stop_in_the_middle_of_an_endless_log(node: FakeNode, lender: Endpoint) -> None:
    def endless(_: object):
        number = 0
        while True:
            yield audit_pb2.ReadResponse(block=peer_pb2.Block(start=number))
            number += 1

    node.answers["Read"] = endless
    with Session(lender) as session:
        blocks = session.read("o")
        assert [next(blocks).start for _ in range(3)] == [0, 1, 2]
        blocks.close()  # type: ignore[attr-defined]


def test_the_operators_view_is_asked_for_in_the_operators_role(node: FakeNode, operator: Endpoint) -> None:
    node.answers["Status"] = operator_pb2.StatusResponse(member="lender-1")
    with Session(operator) as session:
        assert session.status().member == "lender-1"
    assert node.asked[0][1].role == "operator"
