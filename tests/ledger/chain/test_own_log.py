"""Appending: in order, sound, each label once, durable before it is known, and never a second history."""

from __future__ import annotations

from random import Random

import pytest

from ledger.chain.chain import Chain
from ledger.chain.memory_store import Fault, MemoryStore
from ledger.errors import InvalidInput, PlimsollError, Refused, Unready
from ledger.tlog.note import Signer
from tests.ledger import sample_entries as sample
from tests.ledger.sample_logs import MEMBER, NAME, ORIGIN, SIGNER, block, head_over, opened, written

RNG = Random(21)


def test_appends_return_the_first_index_and_sign_one_head_each():
    own = opened().own(SIGNER)
    entries = [sample.position(RNG) for _ in range(6)]
    assert [own.append(batch) for batch in (entries[:1], entries[1:4], entries[4:])] == [0, 1, 4]
    assert own.size == 6
    assert own.log.head == head_over(entries)
    assert list(own.log.entries(0)) == entries


def test_an_append_is_one_synced_write():
    store = MemoryStore()
    synced = []

    class Watched(MemoryStore):
        def write(self, puts, *, sync=True, expect=None):
            synced.append(sync)
            store.write(puts, sync=sync, expect=expect)

    own = Chain(watched := Watched(), [NAME]).own(SIGNER)
    watched.get = store.get  # type: ignore[method-assign]
    synced.clear()
    own.append([sample.position(RNG) for _ in range(700)])
    assert synced == [True]


def refused(entries, log=None):
    own = (log or opened()).own(SIGNER)
    before = own.size
    with pytest.raises(PlimsollError) as caught:
        own.append(entries)
    assert own.size == before
    return caught.value


def test_an_unsound_entry_is_refused_with_its_place_and_field():
    short = sample.position(RNG, b"L" * 15)
    error = refused([sample.position(RNG), short])
    assert isinstance(error, InvalidInput)
    assert (error.reason, error.path) == ("BAD_LENGTH", "entries[1].position.label")
    assert refused([b""]).path == "entries[0]"


def test_nothing_to_append_is_refused():
    assert refused([]).reason == "NO_ENTRIES"


@pytest.mark.parametrize("builder", [sample.position, sample.inquiry])
def test_a_label_is_never_used_twice(builder):
    label = RNG.randbytes(16)
    error = refused([sample.position(RNG), builder(RNG, label), sample.position(RNG, label)])
    assert (type(error), error.reason, error.path) == (Refused, "LABEL_TAKEN", "entries[2]")
    chain = written([sample.position(RNG, label)])
    error = refused([sample.position(RNG), builder(RNG, label)], chain)
    assert (error.reason, error.path) == ("LABEL_TAKEN", "entries[1]")


def test_only_the_logs_own_key_may_sign():
    with pytest.raises(InvalidInput) as caught:
        opened().own(Signer.from_seed(ORIGIN, bytes(32)))
    assert caught.value.reason == "WRONG_KEY"


def test_a_log_that_got_further_elsewhere_is_not_appended_to_until_it_is_fetched():
    """A restored backup must not sign a second history (design section 4, self-fork guard)."""
    entries = [sample.position(RNG) for _ in range(30)]
    chain = written(entries[:10])
    own, replica = chain.own(SIGNER), chain.replica(ORIGIN)
    replica.apply(block(entries, 10, 10, 20))  # heads alone
    replica.apply(block(entries, 10, 10, 30))
    more = sample.position(RNG)
    for size, stop in ((10, 15), (15, 20), (20, 30)):
        with pytest.raises(Unready) as caught:
            own.append([more])
        assert caught.value.reason == "INCOMPLETE_LOG"
        assert f"30 entries elsewhere; fetch those beyond {size}" in caught.value.message
        assert replica.apply(block(entries, size, stop, 30)) == stop
    assert own.append([more]) == 30
    assert own.log.head == head_over([*entries, more])


@pytest.mark.parametrize("fault", Fault)
def test_after_a_failed_write_no_other_history_is_signed(fault):
    first, lost, other = [sample.position(RNG) for _ in range(3)], sample.position(RNG), sample.position(RNG)
    store = MemoryStore()
    chain = written(first, store=store)
    store = MemoryStore(store.snapshot(), faults={0: fault})
    own = opened(store).own(SIGNER)
    with pytest.raises(PlimsollError) as caught:
        own.append([lost])
    assert caught.value.reason == "STORE_FAILED"
    kept = [lost] if fault is Fault.KEPT else []
    # What others may have seen of either outcome must be extended by what comes now.
    assert own.append([other]) == 3 + len(kept)
    assert list(own.log.entries(0)) == [*first, *kept, other]
    assert own.log.head == head_over([*first, *kept, other])
    assert chain.replica(ORIGIN).apply(block([*first, *kept, other], 3, 4 + len(kept))) == 4 + len(kept)


def test_a_second_process_on_the_same_store_cannot_fork_the_log():
    store = MemoryStore()
    one, other = opened(store).own(SIGNER), opened(store).own(SIGNER)
    first, second = sample.position(RNG), sample.position(RNG)
    one.append([first])
    with pytest.raises(PlimsollError) as caught:
        other.append([second])
    assert caught.value.reason == "STORE_CONFLICT"
    assert other.append([second]) == 1
    assert list(opened(store).log(MEMBER).entries(0)) == [first, second]


def test_a_head_signed_again_is_the_same_bytes():
    entries = [sample.position(RNG) for _ in range(3)]
    heads = [written(entries[:2], entries[2:]).log(MEMBER).head for _ in range(2)]
    assert heads[0] is not None
    assert heads[1] is not None
    assert heads[0].note.encode() == heads[1].note.encode()
