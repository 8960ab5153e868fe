"""Repairing a stored log: whatever follows from the entries is made again, and nothing else is believed or touched."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from ledger.chain.log_keys import LogKeys, last_index
from ledger.chain.log_state import Mark, Record
from ledger.chain.memory_store import Fault, MemoryStore
from ledger.errors import PlimsollError, Unverified
from tests.ledger import sample_entries as sample
from tests.ledger.sample_logs import ORIGIN, block, opened, written

SIZE = 600
RNG = Random(43)
ENTRIES = [(sample.BUILDERS[number % 9] if number % 2 else sample.position)(RNG) for number in range(SIZE)]
KEYS = LogKeys(0)


def disk() -> dict[bytes, bytes]:
    store = MemoryStore()
    written(ENTRIES[:250], ENTRIES[250:], store=store)
    return store.snapshot()


DISK = disk()
ENTRY_KEYS = [key for key in DISK if key.startswith(KEYS.entries)]
DERIVED = [key for key in DISK if key.startswith((KEYS.tiles, KEYS.labels, KEYS.kinds))]


def repaired(damaged: dict[bytes, bytes]) -> MemoryStore:
    store = MemoryStore(damaged)
    assert opened(store).repair(ORIGIN).anything
    return store


def test_a_sound_log_is_left_alone():
    store = MemoryStore(DISK)
    before = store.writes
    assert not opened(store).repair(ORIGIN).anything
    assert (store.writes, store.snapshot()) == (before, DISK)


def test_all_that_follows_from_the_entries_is_made_again_from_nothing():
    bare = {key: value for key, value in DISK.items() if key not in DERIVED}
    assert repaired(bare).snapshot() == DISK


@pytest.mark.parametrize("key", DERIVED[::97], ids=bytes.hex)
def test_a_derived_key_lost_or_changed_is_made_again(key):
    without = {one: value for one, value in DISK.items() if one != key}
    assert repaired(without).snapshot() == DISK
    assert repaired({**DISK, key: DISK[key] + b"x"}).snapshot() == DISK


@pytest.mark.parametrize(
    "stray",
    [
        KEYS.tile(0, 2),
        KEYS.tile(1, 0),
        KEYS.kind(3, SIZE),
        KEYS.kind(200, 5),
        KEYS.labels + bytes(16) + (7).to_bytes(8, "big"),
    ],
    ids=bytes.hex,
)
def test_a_derived_key_too_many_goes(stray):
    assert repaired({**DISK, stray: b""}).snapshot() == DISK


def test_the_records_root_counts_and_last_position_are_made_again():
    record = Record.decode(DISK[KEYS.standing])
    for wrong in (
        replace(record, root=bytes(32)),
        replace(record, counts={2: 1}),
        replace(record, last_position=Mark(3, 4)),
        replace(record, last_position=None),
    ):
        assert repaired({**DISK, KEYS.standing: wrong.encode()}).snapshot() == DISK


@pytest.mark.parametrize("key", ENTRY_KEYS[::83], ids=bytes.hex)
def test_an_entry_lost_or_changed_is_never_repaired_and_nothing_is_written(key):
    for damaged in ({one: value for one, value in DISK.items() if one != key}, {**DISK, key: DISK[key] + b"\0"}):
        store = MemoryStore({one: value for one, value in damaged.items() if one not in DERIVED[::50]})
        before = store.snapshot()
        chain = opened(store)
        with pytest.raises(Unverified) as caught:
            chain.repair(ORIGIN)
        assert caught.value.reason in ("ENTRY_MISSING", "ROOT_MISMATCH")
        assert store.snapshot() == before
        assert last_index(key) < SIZE


def test_heads_that_do_not_verify_are_never_repaired():
    record = Record.decode(DISK[KEYS.standing])
    note = record.head_note
    for wrong in (b"", note[:-2] + b"A\n", note.replace(b"600", b"601")):
        store = MemoryStore({**DISK, KEYS.standing: replace(record, head_note=wrong).encode()})
        with pytest.raises(PlimsollError) as caught:
            opened(store).repair(ORIGIN)
        assert caught.value.reason == "BAD_HEAD"


def test_a_replica_that_ends_before_its_head_is_repaired_and_goes_on():
    store = MemoryStore()
    replica = opened(store).replica(ORIGIN)
    replica.apply(block(ENTRIES, 0, 100))
    replica.apply(block(ENTRIES, 100, 300, 400))
    whole = store.snapshot()
    bare = {key: value for key, value in whole.items() if not key.startswith((KEYS.tiles, KEYS.labels, KEYS.kinds))}
    store = repaired(bare)
    assert store.snapshot() == whole
    chain = opened(store)
    assert chain.verify(ORIGIN) == 300
    assert chain.replica(ORIGIN).apply(block(ENTRIES, 300, 600)) == 600


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("at", range(3))
def test_a_repair_that_is_interrupted_is_finished_by_the_next(at, fault):
    bare = {key: value for key, value in DISK.items() if key not in DERIVED[::2]}
    stray = KEYS.kind(200, 5)
    store = MemoryStore({**bare, stray: b""}, faults={at: fault})
    with pytest.raises(PlimsollError):
        opened(store).repair(ORIGIN)
    store = MemoryStore(store.snapshot())
    opened(store).repair(ORIGIN)
    assert store.snapshot() == DISK
    assert opened(store).verify(ORIGIN) == SIZE
