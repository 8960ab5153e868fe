"""A custodian that answers wrongly: the sum is right without it, and it is named.

lender-2 lies; lender-3 is slow, so that lender-2 is among the first that lender-1 asks; lender-5 and lender-6 are down.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator

import pytest
from plimsoll.v1 import lender_pb2, peer_pb2

from ledger.crypto import group
from tests.e2e.conftest import Hostile
from tests.e2e.feeds import row
from tests.e2e.impostor import flip
from tests.e2e.proxy import Proxy, honest

LIAR, SLOW, QUERIER = "lender-2", "lender-3", "lender-1"
CLAIMS = {"lender-3": 4_000_000, "lender-4": 5_000_000}
NEW = itertools.count(100_000)
Lie = Callable[[peer_pb2.DecryptResponse], None]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def liar(hostile: Hostile) -> Iterator[Proxy]:
    """Honest again afterwards."""
    proxies = hostile.proxies
    proxies[SLOW].delays = {"Decrypt": 0.15, "Evaluate": 0.15}
    yield proxies[LIAR]
    proxies[LIAR].tamper = honest
    proxies[LIAR].delays = {}
    proxies[SLOW].delays = {}


def borrower_with_claims(hostile: Hostile, *members: str) -> str:
    borrower = f"test:{next(NEW)}"
    for member in members or CLAIMS:
        assert hostile.cluster.report(member, [row(borrower, CLAIMS[member])]).published == 1
    hostile.cluster.wait_same_heads()
    return borrower


def ask_until(hostile: Hostile, liar: Proxy, method: str = "Decrypt") -> lender_pb2.ExposureResponse:
    """Asks about one borrower after the other until the liar was asked: who is asked goes by who was quick before."""
    for _ in range(10):
        borrower = borrower_with_claims(hostile)
        before = liar.calls.get(method, 0)
        answer = hostile.cluster.ask(QUERIER, borrower)
        assert answer.lenders == 2
        assert answer.amounts.outstanding == sum(CLAIMS.values())
        if liar.calls.get(method, 0) > before and answer.custodians_failed:
            return answer
    raise AssertionError("the liar was never among those asked")


def set_point(place: int, value: bytes) -> Lie:
    def lie(response: peer_pb2.DecryptResponse) -> None:
        response.points[place] = value

    return lie


def keep_points(count: int) -> Lie:
    def lie(response: peer_pb2.DecryptResponse) -> None:
        points = [*response.points, *response.points][:count]
        del response.points[:]
        response.points.extend(points)

    return lie


def set_field(name: str, change: Callable[[object], object]) -> Lie:
    def lie(response: peer_pb2.DecryptResponse) -> None:
        setattr(response, name, change(getattr(response, name)))

    return lie


def swap_points(response: peer_pb2.DecryptResponse) -> None:
    response.points[0], response.points[1] = response.points[1], response.points[0]


def accuse(response: peer_pb2.DecryptResponse) -> None:
    response.excluded.add(member="lender-4", reason="BAD_PROOF", index=3)


def doubled(response: peer_pb2.DecryptResponse) -> None:
    for place, point in enumerate(response.points):
        response.points[place] = group.add(point, point)


def rbytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value


LIES: dict[str, tuple[Lie, str]] = {
    "proof's challenge": (set_field("proof", lambda proof: flip(rbytes(proof), 0)), "BAD_PARTIAL"),
    "proof's response": (set_field("proof", lambda proof: flip(rbytes(proof), 40)), "BAD_PARTIAL"),
    "no proof": (set_field("proof", lambda _: b""), "BAD_PARTIAL"),
    "short proof": (set_field("proof", lambda proof: rbytes(proof)[:63]), "BAD_PARTIAL"),
    "another point": (set_point(0, group.mul_base(group.random_scalar(os.urandom))), "BAD_PARTIAL"),
    "points doubled": (doubled, "BAD_PARTIAL"),
    "points swapped": (swap_points, "BAD_PARTIAL"),
    "identity point": (set_point(6, bytes(32)), "BAD_PARTIAL"),
    "short point": (set_point(3, bytes(31)), "BAD_PARTIAL"),
    "point not canonical": (set_point(3, b"\xff" * 32), "BAD_PARTIAL"),
    "a point too few": (keep_points(6), "BAD_PARTIAL"),
    "a point too many": (keep_points(8), "BAD_PARTIAL"),
    "no points": (keep_points(0), "BAD_PARTIAL"),
    "only what is not withheld": (keep_points(4), "BAD_PARTIAL"),
    "another custodian's index": (set_field("custodian", lambda _: 3), "BAD_PARTIAL"),
    "another epoch": (set_field("epoch", lambda _: 2), "BAD_PARTIAL"),
    "another sum": (set_field("nonce_sum", lambda _: group.mul_base(group.random_scalar(os.urandom))), "DISAGREES"),
    "no sum": (set_field("nonce_sum", lambda _: b""), "DISAGREES"),
    "withheld without reason": (set_field("withheld", lambda _: "DIFFERENCING"), "DISAGREES"),
    "an honest author accused": (accuse, "DISAGREES"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_wrong_answer_is_left_out_and_its_custodian_named(hostile: Hostile, liar: Proxy, name: str) -> None:
    lie, reason = LIES[name]

    def tamper(method: str, request: bytes, answer: bytes) -> bytes:
        if method != "Decrypt":
            return answer
        response = peer_pb2.DecryptResponse.FromString(answer)
        lie(response)
        return response.SerializeToString()

    liar.tamper = tamper
    answer = ask_until(hostile, liar)
    assert (LIAR, reason) in [(left.member, left.reason) for left in answer.custodians_failed]
    assert not answer.excluded
    assert not answer.implausible


def test_an_answer_to_another_inquiry_is_worth_nothing(hostile: Hostile, liar: Proxy) -> None:
    """A partial decryption replayed, with the right sum put in its place."""
    kept: list[peer_pb2.DecryptResponse] = []

    def tamper(method: str, request: bytes, answer: bytes) -> bytes:
        if method != "Decrypt":
            return answer
        response = peer_pb2.DecryptResponse.FromString(answer)
        kept.append(response)
        replayed = peer_pb2.DecryptResponse()
        replayed.CopyFrom(kept[0])
        replayed.nonce_sum = response.nonce_sum
        return replayed.SerializeToString()

    liar.tamper = tamper
    for _ in range(10):
        hostile.cluster.ask(QUERIER, borrower_with_claims(hostile))
        if kept:
            break
    answer = ask_until(hostile, liar)
    assert (LIAR, "BAD_PARTIAL") in [(left.member, left.reason) for left in answer.custodians_failed]


def test_amounts_that_are_withheld_stay_so_whatever_one_custodian_gives_away(hostile: Hostile, liar: Proxy) -> None:
    """One custodian alone may say that they are released: nothing comes of it."""

    def tamper(method: str, request: bytes, answer: bytes) -> bytes:
        if method != "Decrypt":
            return answer
        response = peer_pb2.DecryptResponse.FromString(answer)
        response.withheld = ""
        keep_points(7)(response)
        return response.SerializeToString()

    liar.tamper = tamper
    for _ in range(10):
        answer = hostile.cluster.ask(QUERIER, borrower_with_claims(hostile, "lender-4"))
        assert not answer.HasField("amounts")
        assert (answer.withheld, answer.lenders) == ("FEW_CONTRIBUTORS", 1)
        if answer.custodians_failed:
            break
    assert (LIAR, "DISAGREES") in [(left.member, left.reason) for left in answer.custodians_failed]


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff\x07", b""])
def test_bytes_that_are_no_answer_are_left_out(hostile: Hostile, liar: Proxy, garbage: bytes) -> None:
    liar.tamper = lambda method, request, answer: garbage if method == "Decrypt" else answer
    answer = ask_until(hostile, liar)
    assert LIAR in [left.member for left in answer.custodians_failed]


def test_a_custodian_that_breaks_off_is_left_out(hostile: Hostile, liar: Proxy) -> None:
    def tamper(method: str, request: bytes, answer: bytes) -> bytes:
        if method == "Decrypt":
            raise RuntimeError("the custodian breaks off")
        return answer

    liar.tamper = tamper
    answer = ask_until(hostile, liar)
    assert LIAR in [left.member for left in answer.custodians_failed]


def test_a_custodian_that_never_answers_costs_patience_only(hostile: Hostile, liar: Proxy) -> None:
    liar.delays = {"Decrypt": 8.0}
    for _ in range(3):
        borrower = borrower_with_claims(hostile)
        started = time.monotonic()
        assert hostile.cluster.ask(QUERIER, borrower).amounts.outstanding == sum(CLAIMS.values())
        assert time.monotonic() - started < 3


@pytest.mark.parametrize("what", ["element", "proof", "count", "garbage"])
def test_a_wrong_evaluation_is_left_out(hostile: Hostile, liar: Proxy, what: str) -> None:
    """lender-1 does not know these borrowers yet: with one wrong share it would look for them under another key."""

    def tamper(method: str, request: bytes, answer: bytes) -> bytes:
        if method != "Evaluate":
            return answer
        response = peer_pb2.EvaluateResponse.FromString(answer)
        if what == "element":
            response.elements[0] = group.add(response.elements[0], response.elements[0])
        elif what == "proof":
            response.proof = flip(response.proof, 3)
        elif what == "count":
            response.elements.append(response.elements[0])
        else:
            return b"\xff\xff\xff\xff\x07"
        return response.SerializeToString()

    liar.tamper = tamper
    before = liar.calls.get("Evaluate", 0)
    for _ in range(5):
        answer = hostile.cluster.ask(QUERIER, borrower_with_claims(hostile))
        assert (answer.lenders, answer.amounts.outstanding) == (2, sum(CLAIMS.values()))
    assert liar.calls["Evaluate"] > before


def test_logs_name_the_custodian_and_no_borrower(hostile: Hostile) -> None:
    """What was written about all this."""
    said = hostile.cluster.log_text(QUERIER)
    assert '"custodian failed"' in said
    assert f'"custodian": "{LIAR}"' in said
    for member in hostile.cluster.members:
        assert "test:" not in hostile.cluster.log_text(member)
