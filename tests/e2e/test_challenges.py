"""A member whose records cannot be is pinned by proof: found by sums that cannot be, challenged, left out and named.

Real nodes, mutual TLS. Of five members lender-4 lies: its node encrypts other figures than a position may hold. Then a
day passes, for which the nodes' clocks are set on. The tests below are one story, in order.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from plimsoll.v1 import lender_pb2, peer_pb2

from ledger.cache import Cache
from ledger.chain.chain import Log
from ledger.chain.entries import Kind, file_entry
from ledger.challenges.challenge import Challenge, ChallengeAnswer
from ledger.challenges.challenged import Prover, bands_of
from ledger.errors import Exhausted
from ledger.tlog.merkle import leaf_hash
from tests.cluster import Cluster
from tests.e2e.feeds import row
from tests.e2e.impostor import Impostor
from tests.e2e.lying_node import LIES
from tests.e2e.wire import refusal_of

ASKER, FIRST, SECOND, LIAR, OTHER = "lender-1", "lender-2", "lender-3", "lender-4", "lender-5"
HONEST = {FIRST: 2_000_000, SECOND: 3_000_000}
BORROWERS = {f"test:lie-{amount}": amount for amount in LIES}
UNTOUCHED = "test:untouched"
#: Seconds: a day, and an hour because witnessed heads are known to the hour.
LATER = 25 * 3600
PATIENCE = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def start(cluster: Cluster, off: int) -> None:
    """All nodes, their clocks so many seconds ahead."""
    for member in cluster.members:
        how = "liar" if member == LIAR else "honest"
        cluster.program = [sys.executable, "-m", "tests.e2e.lying_node", str(off), str(PATIENCE), how]
        cluster.start(member)
    cluster.wait_ready()


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory, dlog_table: None) -> Iterator[Cluster]:
    policy = {"heartbeat_seconds": 1, "queries_per_borrower": 10, "heads_seconds": 5}
    with Cluster.found(tmp_path_factory.mktemp("challenges"), 5, policy=policy) as cluster:
        start(cluster, 0)
        for member, amount in HONEST.items():
            rows = [row(borrower, amount) for borrower in (*BORROWERS, UNTOUCHED)]
            assert cluster.report(member, rows).published == len(rows)
        assert cluster.report(LIAR, [row(*pair) for pair in BORROWERS.items()]).published == len(BORROWERS)
        cluster.wait_same_heads()
        yield cluster
        cluster.check_logs()


def entries(cluster: Cluster, member: str) -> list[bytes]:
    """A member's log, as the asker's node has it."""
    read = cluster.session(ASKER, "auditor").read(cluster.manifest.origin(member))
    return [entry for block in read for entry in block.entries]


def of_kind(cluster: Cluster, member: str, kind: Kind) -> list[bytes]:
    return [entry for entry in entries(cluster, member) if file_entry(entry).code == kind]


def challenged(cluster: Cluster, by: str) -> list[Challenge]:
    return list(map(Challenge.parse, of_kind(cluster, by, Kind.CHALLENGE)))


def left_out(answer: lender_pb2.ExposureResponse) -> list[tuple[str, str]]:
    return [(left.member, left.reason) for left in answer.excluded]


def test_sums_that_cannot_be_have_every_author_asked_and_the_liar_challenged_alone(five: Cluster) -> None:
    for borrower in BORROWERS:
        try:
            answer = five.ask(ASKER, borrower)
        except Exhausted as error:
            if error.reason != "SEARCH_STOPPED":  # on a busy machine; as suspicious
                raise
            continue
        assert (answer.withheld, answer.lenders, left_out(answer)) == ("IMPLAUSIBLE", 3, [])
    five.wait_until(lambda: len(challenged(five, ASKER)) == len(LIES), "every lie is challenged")
    liars = entries(five, LIAR)
    for each in challenged(five, ASKER):
        assert each.origin == five.manifest.origin(LIAR)
        assert leaf_hash(liars[each.index]) == each.leaf
    proved = five.log_text(ASKER).count('"record proved well-formed"')
    assert proved == len(HONEST) * len(BORROWERS)
    assert [len(challenged(five, member)) for member in (FIRST, SECOND, OTHER)] == [0, 0, 0]


def test_false_challenges_are_answered_in_public_by_honest_members(five: Cluster) -> None:
    five.stop(LIAR)
    impostor = Impostor(five, LIAR, (ASKER, FIRST, SECOND, OTHER))
    backdated = int(time.time()) - 400 * 86_400
    for member in HONEST:
        held = impostor.chain.log(member)
        places = [place for place in range(held.size) if file_entry(held.entry(place)).code == Kind.POSITION]
        for place in places:
            impostor.publish(Challenge(backdated, held.origin, place, held.leaf_hash(place)).encode())
    impostor.publish(Challenge(backdated, held.origin, 1 << 40, bytes(32)).encode())
    for member in HONEST:

        def answered(member: str = member) -> bool:
            return len(of_kind(five, member, Kind.CHALLENGE_ANSWER)) == len(BORROWERS) + 1

        five.wait_until(answered, f"{member} has answered")
        assert len({ChallengeAnswer.parse(each).leaf for each in of_kind(five, member, Kind.CHALLENGE_ANSWER)}) == 6
        assert not five.status(member).alerts
    answer = five.ask(OTHER, UNTOUCHED)
    assert (answer.amounts.outstanding, left_out(answer)) == (sum(HONEST.values()), [])


def test_a_member_is_shown_proofs_of_records_and_of_nothing_else(five: Cluster) -> None:
    """The liar asks, while its node is down, as any member may."""
    impostor = Impostor(five, LIAR, (FIRST,))
    log, other = impostor.chain.log(FIRST), impostor.chain.log(SECOND)
    codes = [file_entry(entry).code for entry in log.entries(0)]
    record, no_record = codes.index(Kind.POSITION), codes.index(Kind.EVALUATION)
    prove = impostor.stubs[FIRST].Prove

    def request(held: Log, index: int, /, **changes: Any) -> peer_pb2.ProveRequest:
        leaf = held.leaf_hash(index) if index < held.size else bytes(32)
        facts: dict[str, Any] = {"origin": held.origin, "index": index, "leaf_hash": leaf, **changes}
        return peer_pb2.ProveRequest(**facts)

    shown = prove(request(log, record), timeout=20).proof
    prover = Prover(impostor.consortium, impostor.public.fields, Cache(1))
    assert prover.is_wellformed(FIRST, log.entry(record), shown, bands_of(impostor.manifest))
    assert prove(request(log, record), timeout=20).proof == shown
    for wrong in (
        request(log, no_record),
        request(log, log.size),
        request(log, record, index=(1 << 64) - 1),
        request(log, record, leaf_hash=bytes(32)),
        request(log, record, leaf_hash=b""),
        request(log, record, origin=""),
        request(log, record, origin="x" * 70_000),
        request(other, [file_entry(entry).code for entry in other.entries(0)].index(Kind.POSITION)),
    ):
        assert refusal_of(prove, wrong).brief[:2] == ("NOT_FOUND", "UNKNOWN_RECORD")


def test_the_liar_cannot_answer_and_its_operator_is_told(five: Cluster) -> None:
    start(five, 0)
    five.wait_until(lambda: any("challenged" in alert for alert in five.status(LIAR).alerts), "the liar is alerted")
    five.wait_same_heads()
    for member in five.members:
        five.wait_until(partial(all_witnessed, five, member), f"{member} knows that all was witnessed")


def all_witnessed(cluster: Cluster, member: str) -> bool:
    return all(log.witnessed_size == log.size for log in cluster.status(member).logs)


def test_a_day_later_the_lies_are_left_out_and_named_and_the_sums_are_those_of_the_honest(five: Cluster) -> None:
    five.stop(*five.members)
    start(five, LATER)
    five.wait_same_heads()
    for borrower in BORROWERS:
        answer = five.ask(OTHER, borrower)
        assert left_out(answer) == [(LIAR, "CHALLENGED")]
        assert (answer.withheld, answer.lenders) == ("", 2)
        assert answer.amounts.outstanding == sum(HONEST.values())
        assert not answer.custodians_failed


def test_false_challenges_have_achieved_nothing(five: Cluster) -> None:
    answer = five.ask(ASKER, UNTOUCHED)
    assert (answer.amounts.outstanding, left_out(answer)) == (sum(HONEST.values()), [])


def test_who_was_told_the_sums_with_the_lies_learns_no_difference(five: Cluster) -> None:
    answer = five.ask(ASKER, next(iter(BORROWERS)))
    assert (answer.withheld, left_out(answer)) == ("DIFFERENCING", [(LIAR, "CHALLENGED")])
    assert sum(band.lenders for band in answer.bands) == 2


def test_a_record_that_the_liar_publishes_anew_counts(five: Cluster) -> None:
    borrower = next(iter(BORROWERS))
    assert five.report(LIAR, [row(borrower, 5_000_000)]).published == 1
    five.wait_same_heads()
    answer = five.ask(SECOND, borrower)
    assert (answer.lenders, left_out(answer)) == (3, [])
    assert answer.amounts.outstanding == sum(HONEST.values()) + 5_000_000
