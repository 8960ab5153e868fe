"""A witness cosigns what extends all that it cosigned before, and remembers it before anybody has its signature."""

from __future__ import annotations

import pytest

from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain, Replica
from ledger.chain.memory_store import Fault, MemoryStore
from ledger.chain.own_log import OwnLog
from ledger.chain.store import StoreConflict
from ledger.errors import PlimsollError, Unready
from ledger.tlog.checkpoint import SignedHead
from ledger.tlog.cosignature import verify_cosignature
from ledger.tlog.note import SignatureLine
from ledger.witnessing.fork import Fork
from ledger.witnessing.witness import Witness
from tests.ledger.witnesses import AUTHOR, chain_of, cosigner, head_of, history, signer
from tests.lenders import manifest

MANIFEST = manifest(5)
ORIGIN = MANIFEST.origin(AUTHOR)


def held(store: MemoryStore, size: int, branch: int = 0) -> Chain:
    """A chain in which the author's log has so many entries."""
    chain = chain_of(MANIFEST, store)
    log = chain.log(AUTHOR)
    if log.size < size:
        OwnLog(log, signer(1)).append(history(size, branch)[log.size :])
    return chain


def witness(store: MemoryStore, chain: Chain) -> Witness:
    return Witness(store, chain, cosigner(2, MANIFEST))


def head(size: int, branch: int = 0) -> SignedHead:
    return head_of(history(size, branch), MANIFEST)


def reasons(answers: list[SignatureLine | PlimsollError]) -> list[str]:
    return [one.reason if isinstance(one, PlimsollError) else "" for one in answers]


def test_a_head_whose_tree_is_held_is_cosigned_at_the_time_given():
    store = MemoryStore()
    (line,) = witness(store, held(store, 7)).cosign([head(7)], 1_700_000_000)
    assert isinstance(line, SignatureLine)
    assert verify_cosignature(head(7).note.text, line, MANIFEST.cosigner_key("lender-2")) == 1_700_000_000


def test_a_smaller_head_of_the_tree_held_is_cosigned_as_long_as_none_larger_was():
    store = MemoryStore()
    one = witness(store, held(store, 7))
    assert reasons(one.cosign([head(3)], 1)) == [""]
    assert reasons(one.cosign([head(7)], 2)) == [""]
    assert reasons(one.cosign([head(3)], 3)) == ["WENT_BACK"]
    assert reasons(one.cosign([head(7)], 4)) == [""]


def test_what_was_cosigned_is_remembered_by_whoever_opens_the_store():
    store = MemoryStore()
    chain = held(store, 7)
    witness(store, chain).cosign([head(7)], 1)
    again = witness(store, chain)
    assert again.last(ORIGIN) == head(7)
    assert reasons(again.cosign([head(6)], 2)) == ["WENT_BACK"]


def test_a_head_of_entries_not_held_is_not_cosigned():
    store = MemoryStore()
    assert reasons(witness(store, held(store, 7)).cosign([head(8)], 1)) == ["LACKS_ENTRIES"]
    assert store.get(b"w") is None


def test_a_head_of_another_history_is_not_cosigned():
    store = MemoryStore()
    assert reasons(witness(store, held(store, 7)).cosign([head(7, 1), head(3, 1)], 1)) == ["OTHER_ROOT"] * 2


def test_a_frozen_log_is_not_cosigned():
    store = MemoryStore()
    chain = held(store, 7)
    chain.freezer.freeze(ORIGIN, b"evidence")
    assert reasons(witness(store, chain).cosign([head(7)], 1)) == ["FORK"]


def test_a_log_of_nobody_is_not_cosigned():
    store = MemoryStore()
    other = head_of(history(2), manifest(5, "Another"))
    assert reasons(witness(store, held(store, 2)).cosign([other], 1)) == ["NO_LOG"]


def test_a_replica_begun_anew_with_another_history_does_not_make_a_witness_forget():
    store = MemoryStore()
    chain = held(store, 7)
    witness(store, chain).cosign([head(7)], 1)
    chain.forget(ORIGIN)
    one = witness(store, held(store, 9, branch=1))
    (found,) = one.cosign([head(9, 1)], 2)
    assert isinstance(found, Fork)
    assert found.known == head(7)
    assert found.proof


def test_of_a_batch_none_goes_back_behind_another_and_one_write_serves_all():
    store = MemoryStore()
    chain = held(store, 7)
    before = store.writes
    assert reasons(witness(store, chain).cosign([head(7), head(3), head(7), head(8)], 1)) == [
        "", "WENT_BACK", "", "LACKS_ENTRIES"
    ]  # fmt: skip
    assert store.writes == before + 1


def test_the_same_head_again_costs_no_write():
    store = MemoryStore()
    one = witness(store, held(store, 7))
    one.cosign([head(7)], 1)
    before = store.writes
    (line,) = one.cosign([head(7)], 60)
    assert isinstance(line, SignatureLine)
    assert store.writes == before


@pytest.mark.parametrize("fault", Fault)
def test_nothing_is_signed_that_is_not_durable(fault):
    clean = MemoryStore()
    held(clean, 7)
    store = MemoryStore(clean.snapshot(), faults={0: fault})
    one = witness(store, chain_of(MANIFEST, store))
    with pytest.raises(Unready):
        one.cosign([head(7)], 1)
    assert reasons(one.cosign([head(7)], 2)) == [""]
    assert witness(store, chain_of(MANIFEST, store)).last(ORIGIN) == head(7)
    assert reasons(one.cosign([head(6)], 3)) == ["WENT_BACK"]


def test_two_processes_with_one_key_do_not_cosign_past_each_other():
    store = MemoryStore()
    chain = held(store, 7)
    one, other = witness(store, chain), witness(store, chain)
    one.cosign([head(2)], 1)
    other.cosign([head(7)], 2)
    assert reasons(one.cosign([head(5)], 3)) == ["WENT_BACK"]
    store.write([(b"w", b"\xff" * 7 + b"\0")], expect=(b"w", store.get(b"w")))

    class Racing(MemoryStore):
        """Another process writes between the look and the write."""

        def get(self, key):
            found = super().get(key)
            return b"\0" * 8 if key == b"w" else found

    racing = Racing(store.snapshot())
    late = Witness(racing, held(racing, 9), cosigner(2, MANIFEST))
    with pytest.raises(StoreConflict):
        late.cosign([head(9)], 4)


def test_replicas_applied_by_blocks_are_cosigned_likewise():
    source, store = MemoryStore(), MemoryStore()
    chain = chain_of(MANIFEST, store)
    for each in blocks_from(held(source, 12).log(AUTHOR), 0, limit=5):
        Replica(chain.log(AUTHOR)).apply(each)
    assert reasons(witness(store, chain).cosign([head(12)], 1)) == [""]
