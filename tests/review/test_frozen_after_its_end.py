"""A log that has ended counts as far as the manifest says: its author, who still has the key, cannot take it away from
those that have yet to fetch it by forking it afterwards, nor by what was never witnessed of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from threading import RLock

import pytest

from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain, Replica
from ledger.chain.memory_store import MemoryStore
from ledger.tlog.note import Signer
from ledger.witnessing.evidence import evidence_of
from ledger.witnessing.fork import Fork
from ledger.witnessing.witnessed import Witnessed
from node.chain.arrivals import Arrivals
from node.chain.committer import Committer
from node.chain.freezing import Freezing, is_astray, set_strays_aside
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.consortium import Consortium
from tests.lenders import lender
from tests.review.peers import entry
from tests.review.test_ceremony_former_logs import AFTER, COMMON, FIRST, HISTORY, ME, SECOND

ORIGIN = FIRST.key.name


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def newcomer() -> Chain:
    """lender-2's chain: nothing is held yet."""
    other = AFTER.log_key("lender-2")
    names = [*((ME, signer.key.name, signer.key) for signer in (FIRST, SECOND)), ("lender-2", other.name, other)]
    return Chain(MemoryStore(lock=RLock()), names, new_lock=RLock)


def branch(start: int) -> Chain:
    """The first log, from its first entry on or with others in place of what counts."""
    chain = Chain(MemoryStore(), [(ME, ORIGIN, FIRST.key)])
    chain.own(FIRST).append([entry(start + number) for number in range(COMMON)])
    return chain


def frozen(chain: Chain) -> None:
    good = Replica(newcomer().log_by_origin(ORIGIN))
    (block,), (other,) = (blocks_from(branch(start).log(ME), 0) for start in (0, 100))
    good.apply(block)
    with pytest.raises(Fork) as found:
        good.apply(other)
    evidence = evidence_of(found.value, FIRST.key)
    assert evidence is not None
    chain.freezer.freeze(ORIGIN, evidence.encode())


async def test_what_counts_of_an_ended_log_is_fetched_though_it_is_frozen_and_was_never_witnessed(threads):
    chain = newcomer()
    frozen(chain)
    arrivals, guard = Arrivals(30.0), SelfForkGuard(0, alone=True)
    gossip = Gossip(chain, "lender-2", [], arrivals, guard, threads, 1.0)
    own = chain.own(Signer.from_seed(AFTER.origin("lender-2"), lender(2).keyring.log_seed))
    committer = Committer(own, guard, gossip, arrivals, threads)
    witnessed = Witnessed(chain.store, HISTORY, RLock())
    consortium = Consortium("lender-2", HISTORY)
    gossip.freezing = Freezing(consortium, chain, witnessed, gossip.problems, committer, threads)
    held = chain.log_by_origin(ORIGIN)
    assert gossip.freezing.wants(held)
    for block in blocks_from(branch(0).log(ME), 0):
        await gossip.take(block)
    assert held.root_at(COMMON) == AFTER.ended[0].root
    assert not gossip.freezing.wants(held)


def test_another_branch_of_an_ended_log_is_set_aside_at_the_next_start():
    chain = newcomer()
    for block in blocks_from(branch(100).log(ME), 0):
        Replica(chain.log_by_origin(ORIGIN)).apply(block)
    frozen(chain)
    witnessed = Witnessed(chain.store, HISTORY, RLock())
    assert is_astray(chain, witnessed, ORIGIN, AFTER)
    set_strays_aside(chain, witnessed, AFTER)
    assert chain.log_by_origin(ORIGIN).size == 0
    assert chain.log(ME).origin == SECOND.key.name
    for block in blocks_from(branch(0).log(ME), 0):
        Replica(chain.log_by_origin(ORIGIN)).apply(block)
    assert not is_astray(chain, witnessed, ORIGIN, AFTER)
