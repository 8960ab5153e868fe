"""Replicas: verified whole before anything is stored, stored at once, told once."""

from __future__ import annotations

from random import Random

import pytest

from ledger.chain.memory_store import Fault, MemoryStore
from ledger.errors import PlimsollError
from ledger.witnessing.fork import Fork
from tests.ledger import sample_entries as sample
from tests.ledger.sample_logs import MEMBER, ORIGIN, SIGNER, block, head_over, opened

RNG = Random(31)
HISTORY = [sample.position(RNG) for _ in range(40)]
OTHER = HISTORY[:20] + [sample.position(RNG) for _ in range(20)]


def test_blocks_are_applied_and_known_ones_skipped_without_a_write():
    store = MemoryStore()
    replica = opened(store).replica(ORIGIN)
    assert replica.apply(block(HISTORY, 0, 10)) == 10
    writes = store.writes
    assert replica.apply(block(HISTORY, 0, 10)) == 10
    assert replica.apply(block(HISTORY, 3, 7)) == 10
    assert replica.apply(block(HISTORY, 10, 10)) == 10
    assert store.writes == writes
    assert replica.apply(block(HISTORY, 5, 20)) == 20
    assert store.writes == writes + 1
    assert list(replica.log.entries(0)) == HISTORY[:20]


@pytest.mark.parametrize(
    "bad",
    [block(OTHER, 25, 25), block(OTHER, 15, 40), block(HISTORY, 31, 40), block(OTHER, 30, 40)],
    ids=["fork", "fork with entries", "gap", "other entries"],
)
def test_nothing_is_stored_of_a_block_that_is_refused(bad):
    store = MemoryStore()
    replica = opened(store).replica(ORIGIN)
    replica.apply(block(HISTORY, 0, 30))
    before = store.snapshot()
    with pytest.raises(PlimsollError):
        replica.apply(bad)
    assert store.snapshot() == before
    assert replica.apply(block(HISTORY, 30, 40)) == 40


def test_a_fork_carries_both_heads():
    replica = opened().replica(ORIGIN)
    replica.apply(block(HISTORY, 0, 30))
    with pytest.raises(Fork) as caught:
        replica.apply(block(OTHER, 10, 35))
    assert (caught.value.known, caught.value.conflicting) == (head_over(HISTORY[:30]), head_over(OTHER[:35]))
    assert caught.value.proof is not None


@pytest.mark.parametrize("fault", Fault)
def test_after_a_failed_write_the_replica_finds_out_what_it_holds(fault):
    store = MemoryStore()
    opened(store).replica(ORIGIN).apply(block(HISTORY, 0, 10))
    store = MemoryStore(store.snapshot(), faults={0: fault})
    replica = opened(store).replica(ORIGIN)
    with pytest.raises(PlimsollError):
        replica.apply(block(HISTORY, 10, 20))
    assert replica.size == (20 if fault is Fault.KEPT else 10)
    assert replica.apply(block(HISTORY, 10, 30)) == 30
    assert list(replica.log.entries(0)) == HISTORY[:30]


def test_listeners_are_told_after_it_is_durable_and_only_of_changes():
    store = MemoryStore(faults={5: Fault.LOST})  # the first write gave the log its number
    chain = opened(store)
    told = []
    chain.listen(lambda log, before: told.append((log.origin, before, log.size, opened(store).log(MEMBER).size)))
    replica = chain.replica(ORIGIN)
    replica.apply(block(HISTORY, 0, 10))
    replica.apply(block(HISTORY, 0, 10))
    replica.apply(block(HISTORY, 10, 20, 30))
    replica.apply(block(HISTORY, 20, 20, 40))
    replica.apply(block(HISTORY, 20, 40))
    with pytest.raises(PlimsollError):
        chain.own(SIGNER).append([sample.position(RNG)])
    assert told == [(ORIGIN, 0, 10, 10), (ORIGIN, 10, 20, 20), (ORIGIN, 20, 20, 20), (ORIGIN, 20, 40, 40)]


def test_a_listener_may_write():
    chain = opened()
    own = chain.own(SIGNER)
    follow = [sample.position(RNG), sample.position(RNG)]
    chain.listen(lambda log, before: own.append([follow.pop()]) if follow else None)
    own.append([sample.position(RNG)])
    assert own.size == 3


def test_the_author_restores_its_own_log_from_others_and_goes_on():
    chain = opened()
    assert chain.replica(ORIGIN).apply(block(HISTORY, 0, 40)) == 40
    assert chain.own(SIGNER).append([sample.position(RNG)]) == 40
