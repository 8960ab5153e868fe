"""An author can let a member have entries below a head that it never completes. Nobody else can be shown these, so they
must count for nothing: neither in that member's inquiries nor against those of others.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from plimsoll.v1 import entry_pb2, peer_pb2

from ledger.borrower.labels import QueryKeys
from ledger.chain.covered import Covered
from ledger.consortium.history import History
from ledger.queries.findings import Examiner
from ledger.queries.query import Asking, Query
from node.chain.arrivals import Arrivals
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from tests.ledger.sample_consortium import CONSENT, deal
from tests.lenders import seeded
from tests.review.peers import MANIFEST, chain, entry, origin, peer, signer
from tests.review.test_forks import serving

AUTHOR = "lender-3"
HISTORY = History([MANIFEST])


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def history(length: int):
    """The author's own chain."""
    held = chain()
    held.own(signer(3)).append([entry(number) for number in range(length)])
    return held


def half_shown(whole, start: int, stop: int) -> peer_pb2.Block:
    """Entries start .. stop - 1, below the author's newest head."""
    log = whole.log(AUTHOR)
    assert log.head is not None
    entries, proof = log.entries(start, stop), log.consistency(stop, log.size)
    return peer_pb2.Block(
        origin=origin(AUTHOR), start=start, entries=entries, head=log.head.note.encode(), consistency=proof
    )


async def teased(held, threads, arrivals: Arrivals | None = None, links=()) -> Gossip:
    """A node that has five entries complete and two more below a head that is not."""
    guard = SelfForkGuard(0, alone=True)
    gossip = Gossip(held, "lender-1", links, arrivals or Arrivals(30.0), guard, threads, 0.05)
    await gossip.take(half_shown(history(5), 0, 5))
    await gossip.take(half_shown(history(9), 5, 7))
    log = held.log(AUTHOR)
    assert (log.size, log.covered) == (7, 5)
    return gossip


async def test_an_inquiry_speaks_of_what_can_be_shown(threads):
    held = chain()
    await teased(held, threads)
    keys = deal(3, 2, seeded("half shown")).public
    logs = {log.member: Covered(log) for log in held.logs()}
    asking = Asking(HISTORY, keys, Examiner(HISTORY, keys), logs, "lender-1")
    query = Query.begin(asking, QueryKeys(bytes(32)), entry_pb2.PURPOSE_PRE_LOAN, CONSENT, 1_760_000_000)
    sizes = entry_pb2.Entry.FromString(query.entry).inquiry.sizes
    assert list(sizes) == [0, 0, 5]


async def test_a_custodian_asks_for_no_more_than_can_be_shown(threads):
    arrivals = Arrivals(30.0)
    await teased(chain(), threads, arrivals)
    assert arrivals.held_before(origin(AUTHOR), time.monotonic() + 60.0) == 5


async def test_a_head_that_completes_what_is_held_is_taken_from_whoever_has_it(threads):
    held = chain()
    async with peer("lender-2", **serving(history(7))) as link:
        gossip = await teased(held, threads, links=[link])
        (one,) = gossip._peers.values()
        await asyncio.wait_for(gossip._compare(one), 5.0)
    assert held.log(AUTHOR).covered == 7
    assert not gossip.problems
