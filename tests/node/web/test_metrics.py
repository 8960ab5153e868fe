"""What is counted for monitoring."""

from __future__ import annotations

from plimsoll.v1 import entry_pb2

from ledger.queries.inquiry import DAY
from node.lending.quotas import Used
from node.wire import tally
from node.wire.tally import Tally
from tests.ledger.witnesses import AUTHOR, chain_of, signer
from tests.lenders import manifest

NOW = 1_700_000_000


def evaluation(time: int, count: int) -> bytes:
    made = entry_pb2.Evaluation(count=count, epoch=1, batch_digest=time.to_bytes(32, "big"))
    return entry_pb2.Entry(time=time, evaluation=made).SerializeToString()


def test_quotas_are_what_the_log_says_of_the_last_day() -> None:
    chain = chain_of(manifest(5))
    own = chain.own(signer(1))
    old = [evaluation(NOW - 5 * DAY + number, 7) for number in range(300)]
    own.append([*old, evaluation(NOW - DAY - 1, 1000), evaluation(NOW - DAY + 1, 10), evaluation(NOW, 3)])
    used = Used(lambda: chain.log(AUTHOR))
    assert used.today("evaluation", NOW) == 13
    assert used.today("inquiry", NOW) == 0
    own.append([evaluation(NOW + 5, 100)])
    assert used.today("evaluation", NOW + 5) == 103
    assert used.today("evaluation", NOW + 5 + DAY) == 0
    assert Used(lambda: chain.log(AUTHOR)).today("evaluation", NOW + 5) == 103


def test_a_member_that_writes_another_log_begins_to_count_anew() -> None:
    first, second = chain_of(manifest(5)), chain_of(manifest(5))
    first.own(signer(1)).append([evaluation(NOW, 5)])
    logs = [first.log(AUTHOR)]
    used = Used(lambda: logs[-1])
    assert used.today("evaluation", NOW) == 5
    logs.append(second.log("lender-2"))
    assert used.today("evaluation", NOW) == 0


def test_kinds_of_ends_are_counted_up_to_a_number_of_kinds(monkeypatch) -> None:
    monkeypatch.setattr(tally, "MOST", 3)
    counted = Tally()
    for number in range(10):
        counted.note("call", f"REASON_{number}")
        counted.note("call", "OK")
    assert sum(counted.counts.values()) == 20
    assert counted.counts["call", "OK"] == 10
    assert len(counted.counts) == 4
