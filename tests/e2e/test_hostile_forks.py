"""A member with two histories: a second inquiry under the same number, on a fork of its log, shown to other custodians.

lender-6 asks lender-1 and lender-2 one thing, and lender-3 and lender-4 another. Last of the hostile members' tests, as
nobody answers lender-6 any more afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from plimsoll.v1 import peer_pb2

from tests.e2e.conftest import Hostile
from tests.e2e.feeds import row
from tests.e2e.impostor import Impostor
from tests.e2e.wire import Failure, failure_of, refusal_of

FORKER, BORROWER = "lender-6", "test:990001"
FIRST, SECOND = ("lender-1", "lender-2"), ("lender-3", "lender-4")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Twins:
    """One member's two histories, and what became of the inquiry in each. outcomes: None where it was answered."""

    one: Impostor
    other: Impostor
    first: peer_pb2.DecryptRequest
    second: peer_pb2.DecryptRequest
    outcomes: dict[tuple[str, str], Failure | None]


@pytest.fixture(scope="module")
def twins(hostile: Hostile) -> Twins:
    for member in ("lender-2", "lender-4"):
        assert hostile.cluster.report(member, [row(BORROWER, 2_000_000)]).published == 1
    hostile.cluster.wait_same_heads()
    hostile.impostor.catch_up()
    keys = hostile.impostor.borrower(BORROWER).query  # a borrower's keys are the same for all
    one = Impostor(hostile.cluster, FORKER, (*FIRST, *SECOND))
    other = one.forked(one.log.size)
    first = one.request(keys, one.inquiry(keys))
    second = other.request(keys, other.inquiry(keys, purpose=2))
    outcomes: dict[tuple[str, str], Failure | None] = {}
    for server in FIRST:
        outcomes["first", server] = failure_of(one.stubs[server].Decrypt, first)
    for server in (*SECOND, *FIRST):
        outcomes["second", server] = failure_of(one.stubs[server].Decrypt, second)
    hostile.cluster.wait_until(
        lambda: all(problem(hostile, member) for member in hostile.cluster.running), "everybody knows of the fork", 20
    )
    return Twins(one, other, first, second, outcomes)


def problem(hostile: Hostile, member: str) -> str:
    """What this node's operator reads about the forker's log."""
    return next(log.problem for log in hostile.cluster.status(member).logs if log.member == FORKER)


def test_the_first_history_is_answered(twins: Twins) -> None:
    assert [twins.outcomes["first", server] for server in FIRST] == [None, None]


def test_who_has_answered_the_one_does_not_answer_its_twin(twins: Twins) -> None:
    for server in FIRST:
        failure = twins.outcomes["second", server]
        assert failure is not None
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "FORK")


def test_of_two_twins_shown_to_different_custodians_only_one_gets_its_answer(hostile: Hostile, twins: Twins) -> None:
    """Any two sets of t share a custodian. What a querier with custodians on its side can do: docs/threat-model.md."""
    threshold = hostile.cluster.manifest.threshold
    assert sum(twins.outcomes["second", server] is None for server in (*FIRST, *SECOND)) < threshold


def test_everybody_learns_of_the_fork_and_tells_its_operator(hostile: Hostile, twins: Twins) -> None:
    for member in hostile.cluster.running:
        assert "two histories" in problem(hostile, member)
        assert '"event": "fork"' in hostile.cluster.log_text(member)


@pytest.mark.parametrize("server", [*FIRST, *SECOND])
def test_nobody_answers_a_member_with_two_histories_any_more(twins: Twins, server: str) -> None:
    for request in (twins.first, twins.second):
        failure = refusal_of(twins.one.stubs[server].Decrypt, request)
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "FORK")
    index = twins.one.append(twins.one.evaluation([bytes(31) + b"\1"]))
    batch = peer_pb2.EvaluateRequest(index=index, elements=[bytes(31) + b"\1"])
    assert refusal_of(twins.one.stubs[server].Evaluate, batch).reason == "FORK"


def test_a_block_of_the_other_history_is_refused(twins: Twins) -> None:
    for server, history in ((FIRST[0], twins.other), (SECOND[0], twins.one)):
        failure = refusal_of(twins.one.stubs[server].Push, peer_pb2.PushRequest(block=history.block(0)))
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "FORK")


def test_the_others_logs_go_on_and_sums_are_told_without_what_the_forker_never_had_witnessed(
    hostile: Hostile, twins: Twins
) -> None:
    """Custodians that hold different histories of it answer together all the same: it counts where it was witnessed."""
    for number, member in enumerate(("lender-2", "lender-4")):
        assert hostile.cluster.report(member, [row("test:990002", 2_000_000 + number)]).published == 1

    def arrived() -> bool:
        held = [hostile.cluster.sizes(member) for member in hostile.cluster.running]
        return all(one[name] == held[0][name] for one in held for name in ("lender-2", "lender-4"))

    hostile.cluster.wait_until(arrived, "the others' entries are everywhere", 10)
    answer = hostile.cluster.ask("lender-1", "test:990002")
    assert answer.lenders == 2
    assert answer.amounts.outstanding == 4_000_001
    (forked,) = (log for log in answer.logs if log.member == FORKER)
    assert forked.frozen
    assert forked.size <= min(twins.one.log.size, twins.other.log.size) - 1
