"""A query over the real chain: five members, each with its own replica of every log, that know only what they are sent.

This is the contract of `Custodian` with whoever drives it: the tail of the asker's log is applied before the call, and
what a custodian says it lacks is fetched and the same call made again.
"""

from __future__ import annotations

import pytest
from plimsoll.v1 import peer_pb2

from ledger.borrower.pseudonym import Batch
from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain
from ledger.chain.memory_store import MemoryStore
from ledger.chain.replica_gap import LacksEntries
from ledger.errors import PlimsollError
from ledger.queries.custodian import Custodian
from ledger.queries.exposure import expose
from ledger.queries.findings import Examiner
from ledger.queries.query import Asking, Query
from ledger.queries.transcript import FULL, REDACTED, Transcript
from ledger.queries.transcript_check import verify
from ledger.tlog.note import Signer
from tests.ledger.sample_consortium import CONSENT, Consortium, found, loan, small_table
from tests.lenders import lender

BORROWER = "test:1"
ASKER = "lender-1"


class Node:
    """One member's replicas, and its part as custodian."""

    def __init__(self, consortium: Consortium, number: int) -> None:
        manifest = consortium.manifest
        self.name = f"lender-{number}"
        names = [member.name for member in manifest.members]
        self.chain = Chain(MemoryStore(), [(name, manifest.origin(name), manifest.log_key(name)) for name in names])
        self.logs = {name: self.chain.log(name) for name in names}
        self.own = self.chain.own(Signer.from_seed(manifest.origin(self.name), lender(number).keyring.log_seed))
        shares = consortium.ceremony.shares[number - 1]
        self.custodian = Custodian(consortium.history, consortium.keys, shares, self.logs, consortium.rng)

    def apply(self, block: peer_pb2.Block) -> None:
        """What arrives by push, pull or as a tail."""
        self.chain.replica(block.origin).apply(block)

    def fetch(self, member: str, source: Node) -> None:
        """Everything of a log that another holds and this one lacks."""
        for block in blocks_from(source.logs[member], self.logs[member].size):
            self.apply(block)


class Town:
    """The consortium's nodes; nothing travels but what a test moves."""

    def __init__(self) -> None:
        self.consortium = found(5)
        self.nodes = {number: Node(self.consortium, number) for number in range(1, 6)}

    def report(self, number: int, outstanding: int, nth: int = 0) -> None:
        """A lender's nth position, on its own chain alone."""
        entry = self.consortium.position_entry(f"lender-{number}", BORROWER, loan(outstanding), number=nth)
        self.nodes[number].own.append([entry])

    def spread(self) -> None:
        """Gossip, to the end."""
        for node in self.nodes.values():
            for number, source in self.nodes.items():
                if source is not node:
                    node.fetch(f"lender-{number}", source)

    def asking(self) -> Asking:
        history, keys = self.consortium.history, self.consortium.keys
        return Asking(history, keys, Examiner(history, keys), self.nodes[1].logs, ASKER)

    def answer(self, number: int, request: peer_pb2.DecryptRequest) -> peer_pb2.DecryptResponse:
        """As a node does: join, then answer, fetching from the asker what is lacking."""
        node = self.nodes[number]
        if request.HasField("tail") and number != 1:
            node.apply(request.tail)
        for _ in range(10):
            try:
                return node.custodian.answer(ASKER, request, self.consortium.now, lambda member: 0)
            except LacksEntries as lacking:
                node.fetch(lacking.member, self.nodes[1])
        raise AssertionError("it never had enough")


@pytest.fixture
def town() -> Town:
    return Town()


def ask(town: Town) -> tuple[Query, peer_pb2.DecryptRequest]:
    keys = town.consortium.borrower(BORROWER).query
    query = Query.begin(town.asking(), keys, 1, CONSENT, town.consortium.now)
    own = town.nodes[1].own
    index = own.append([query.entry])
    tail = next(iter(blocks_from(town.nodes[1].logs[ASKER], index)))
    return query, query.logged(index, town.nodes[1].logs[ASKER].receipt(index).encode(), tail)


def test_custodians_that_hold_everything_answer_at_once(town):
    for number in range(1, 6):
        town.report(number, 100 * number)
    town.spread()
    query, request = ask(town)
    for number in (2, 3, 5):
        assert query.accept(number, town.answer(number, request))
    answer = query.finish(small_table())
    amounts = expose(answer, BORROWER, []).amounts
    assert amounts is not None
    assert amounts.outstanding == 1_500
    history, keys = town.consortium.history, town.consortium.keys
    raw = Transcript.of(answer, FULL).encode()
    # A member that was not asked does not hold the inquiry yet.
    assert verify(raw, town.nodes[4].logs, history, keys).failed == "T4"
    town.nodes[4].fetch(ASKER, town.nodes[1])
    assert verify(raw, town.nodes[4].logs, history, keys).is_good
    assert verify(Transcript.of(answer, REDACTED).encode(), town.nodes[4].logs, history, keys).is_good


def test_custodians_fetch_what_they_lack_and_come_to_the_same(town):
    for number in range(1, 6):
        town.report(number, 100 * number)
    for number in range(2, 6):
        town.nodes[1].fetch(f"lender-{number}", town.nodes[number])
    # Nobody but the asker holds anything of anybody else.
    query, request = ask(town)
    request.ClearField("tail")
    for number in (2, 3, 4):
        assert query.accept(number, town.answer(number, request))
    assert query.finish(small_table()).contributors == 5


def test_what_arrived_after_the_inquiry_changes_no_answer(town):
    for number in range(1, 6):
        town.report(number, 100 * number)
    town.spread()
    query, request = ask(town)
    first = town.answer(2, request)
    for number in range(2, 6):
        town.report(number, 9_999, nth=1)
    town.spread()
    assert town.answer(3, request).nonce_sum == first.nonce_sum
    assert query.examine().nonce_sum == first.nonce_sum


def test_a_tail_of_a_forked_log_is_refused_by_the_replica(town):
    for number in range(1, 6):
        town.report(number, 100 * number)
    town.spread()
    forked = Town()
    forked.report(1, 100)
    town.consortium.now += 1
    _, request = ask(town)
    assert town.answer(2, request)
    forked.consortium.now += 2
    for number in range(2, 6):
        forked.nodes[1].fetch(f"lender-{number}", town.nodes[number])
    _, twin = ask(forked)
    assert twin.entry != request.entry
    with pytest.raises(PlimsollError) as caught:
        town.answer(2, twin)
    assert caught.value.reason == "FORK"


def test_pseudonym_keys_are_evaluated_over_the_chain(town):
    history, keys = town.consortium.history, town.consortium.keys
    batch = Batch([BORROWER, "test:2"], history.consortium, keys, history.current.threshold, town.consortium.rng)
    index = town.nodes[1].own.append([batch.entry(town.consortium.now)])
    tail = next(iter(blocks_from(town.nodes[1].logs[ASKER], index)))
    request = peer_pb2.EvaluateRequest(tail=tail, index=index, elements=batch.elements)
    for number in (3, 4, 5):
        town.nodes[number].apply(request.tail)
        answer = town.nodes[number].custodian.evaluate(ASKER, request, town.consortium.now)
        assert batch.accept(number, answer)
    first = batch.finish()
    assert len(set(first)) == 2
