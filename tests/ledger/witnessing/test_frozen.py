"""Frozen logs stay frozen, also when the store is opened again and the replica begun anew."""

from __future__ import annotations

from random import Random

import pytest

from ledger.chain.chain import Replica
from ledger.chain.memory_store import Fault, MemoryStore
from ledger.errors import Unready, Unverified
from ledger.witnessing.fork import Fork
from ledger.witnessing.frozen import Frozen
from tests.ledger.sample_entries import position
from tests.ledger.sample_logs import ORIGIN, block, head_over, opened, written
from tests.ledger.witnesses import history


def test_a_log_is_frozen_once_and_for_ever():
    store = MemoryStore()
    chain = opened(store)
    assert not chain.frozen(ORIGIN)
    assert chain.evidence(ORIGIN) is None
    assert chain.freezer.freeze(ORIGIN, b"first")
    assert not chain.freezer.freeze(ORIGIN, b"second")
    for one in (chain, opened(store)):
        assert one.frozen(ORIGIN)
        assert one.evidence(ORIGIN) == b"first"
    assert chain.freezer.origins == (ORIGIN,)
    assert not chain.frozen(ORIGIN + "x")


def test_a_replica_that_is_begun_anew_stays_frozen():
    chain = written([position(Random(1))])
    chain.freezer.freeze(ORIGIN, b"evidence")
    chain.freezer.keep_conflict(ORIGIN, b"one", b"other")
    chain.forget(ORIGIN)
    assert chain.frozen(ORIGIN)
    assert chain.conflicting_witnesses(ORIGIN) == (b"one", b"other")


def test_two_that_freeze_at_once_agree():
    store = MemoryStore()
    one, other = Frozen(store), Frozen(store)
    assert one.freeze(ORIGIN, b"one")
    other.freeze(ORIGIN, b"other")
    assert ORIGIN in other
    assert Frozen(store).evidence(ORIGIN) == b"one"


@pytest.mark.parametrize("fault", Fault)
def test_a_failing_disk_is_not_taken_for_success(fault):
    store = MemoryStore(faults={0: fault})
    frozen = Frozen(store)
    with pytest.raises(Unready):
        frozen.freeze(ORIGIN, b"evidence")
    assert ORIGIN not in frozen
    frozen.freeze(ORIGIN, b"evidence")
    assert Frozen(store).evidence(ORIGIN) == b"evidence"


def test_the_first_conflict_is_kept():
    store = MemoryStore()
    frozen = Frozen(store)
    assert frozen.conflict(ORIGIN) is None
    assert frozen.keep_conflict(ORIGIN, b"known", b"other")
    assert not frozen.keep_conflict(ORIGIN, b"a", b"b")
    assert Frozen(store).conflict(ORIGIN) == (b"known", b"other")


@pytest.mark.parametrize("raw", [b"", b"\0\0\0\5known", b"\0\0\0\0other", b"\0\0\0\5kno"])
def test_a_rotten_record_of_a_conflict_is_named(raw):
    with pytest.raises(Unverified):
        Frozen(MemoryStore({b"c" + ORIGIN.encode(): raw}))


def test_a_log_that_is_set_aside_stays_in_the_store_and_is_begun_anew_towards_one_head_only():
    right, wrong = history(7, 1, 3), history(7, 2, 3)
    chain = opened()
    Replica(chain.log_by_origin(ORIGIN)).apply(block(wrong, 0, 7))
    before = chain.store.get(chain.log_by_origin(ORIGIN).keys.entry(6))
    old = chain.log_by_origin(ORIGIN)
    new = chain.set_aside(ORIGIN, head_over(right[:5]))
    assert chain.log_by_origin(ORIGIN) is new
    assert (new.size, new.head) == (0, None)
    assert chain.store.get(old.keys.entry(6)) == before == wrong[6]
    with pytest.raises(Fork):
        Replica(new).apply(block(wrong, 0, 7))
    assert new.size == 0
    assert Replica(new).apply(block(right, 0, 7)) == 7
    again = opened(chain.store).log_by_origin(ORIGIN)
    assert again.root_at(5) == head_over(right[:5]).head.root
