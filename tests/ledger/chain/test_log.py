"""Reading a log: entries, proofs and indexes, as they follow from the entries alone."""

from __future__ import annotations

from random import Random

import pytest

from ledger.chain.chain import Log
from ledger.chain.entries import UNSOUND, Kind, parse_entry
from ledger.chain.log_state import Mark
from ledger.chain.logview import LogView
from ledger.chain.memory_store import MemoryStore
from ledger.errors import InvalidInput, NotFound, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import open_head
from tests.ledger import sample_entries as sample
from tests.ledger.sample_logs import MEMBER, ORIGIN, SIGNER, block, head_over, opened, written

RNG = Random(11)
ENTRIES = [
    builder(RNG) if number % 3 else sample.position(RNG, time=1_700_000_000 + number)
    for number in range(70)
    for builder in sample.BUILDERS
][:630]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]
LOG = written(ENTRIES[:100], ENTRIES[100:101], ENTRIES[101:]).log(MEMBER)


def kind_of(entry: bytes) -> str:
    return parse_entry(entry).WhichOneof("kind") or ""


def test_a_log_says_whose_it_is_and_how_far_it_has_got():
    assert (LOG.member, LOG.origin, LOG.size, LOG.head) == (MEMBER, ORIGIN, len(ENTRIES), head_over(ENTRIES))


def test_an_empty_log_has_nothing():
    log = opened().log(MEMBER)
    assert (log.size, log.head, log.last_position, dict(log.counts)) == (0, None, None, {})
    assert log.root_at(0) == merkle.EMPTY_ROOT
    assert list(log.entries(0)) == []
    assert list(log.by_kind("inquiry")) == []
    assert log.find(bytes(16)) is None


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (0, 0), (3, 3), (5, 4), (100, 300), (629, 630), (600, 9000), (700, None)]
)
def test_entries_come_in_order_as_far_as_held(start, stop):
    assert list(LOG.entries(start, stop)) == ENTRIES[start:stop]


def test_an_entry_is_found_by_index_and_several_at_once():
    assert LOG.entry(0) == ENTRIES[0]
    assert LOG.entry(629) == ENTRIES[629]
    assert LOG.entries_at([300, 2, 300]) == [ENTRIES[300], ENTRIES[2], ENTRIES[300]]
    assert LOG.entries_at([]) == []


@pytest.mark.parametrize("index", [630, 2**63, -1])
def test_there_is_no_entry_beyond_what_is_held(index):
    for ask in (LOG.entry, LOG.receipt):
        with pytest.raises(NotFound) as caught:
            ask(index)
        assert (caught.value.reason, caught.value.path) == ("NO_ENTRY", "index")
    with pytest.raises(InvalidInput):
        LOG.leaf_hash(index)
    with pytest.raises(InvalidInput):
        LOG.root_at(index + 1 if index > 0 else index)


def test_roots_and_proofs_are_those_of_the_entries():
    for size in (0, 1, 255, 256, 257, 512, 629, 630):
        assert LOG.root_at(size) == merkle.root_of(LEAVES[:size])
    assert [LOG.leaf_hash(index) for index in range(630)] == LEAVES
    merkle.verify_consistency(100, LOG.root_at(100), 600, LOG.root_at(600), LOG.consistency(100, 600))


@pytest.mark.parametrize("index", [0, 255, 256, 629])
def test_a_receipt_verifies_under_the_logs_key_alone(index):
    receipt = LOG.receipt(index)
    assert receipt.verify(ENTRIES[index], SIGNER.key) == LOG.head
    with pytest.raises(Unverified):
        receipt.verify(ENTRIES[index] + b"x", SIGNER.key)


def test_every_label_leads_to_its_entry():
    labels = {}
    for index, entry in enumerate(ENTRIES):
        message = parse_entry(entry)
        if kind_of(entry) in ("position", "inquiry"):
            labels[getattr(message, kind_of(entry)).label] = index
    assert len(labels) > 100
    assert {label: LOG.find(label) for label in labels} == labels
    assert LOG.find_many([*labels, bytes(16)]) == [*labels.values(), None]


@pytest.mark.parametrize("label", [b"", bytes(15), bytes(17), bytes(24)])
def test_a_label_has_16_bytes(label):
    with pytest.raises(InvalidInput) as caught:
        LOG.find_many([bytes(16), label])
    assert caught.value.path == "labels[1]"


def test_of_a_label_in_a_replica_the_first_occurrence_counts_whenever_it_comes():
    label = b"L" * 16
    first, other, second, third = (
        sample.position(RNG, label), sample.inquiry(RNG), sample.inquiry(RNG, label), sample.position(RNG, label)
    )  # fmt: skip
    history = [other, first, second, third]
    replica = opened().replica(ORIGIN)
    replica.apply(block(history, 0, 3))
    replica.apply(block(history, 3, 4))
    assert replica.log.find(label) == 1


def test_labels_that_begin_alike_are_kept_apart():
    labels = [bytes(16), bytes(15) + b"\x01", b"\xff" * 16, b"\xff" * 15 + b"\xfe", bytes(8) + b"\xff" * 8]
    log = written([sample.position(RNG, label) for label in labels]).log(MEMBER)
    assert log.find_many(labels) == [0, 1, 2, 3, 4]
    assert log.find(bytes(14) + b"\x01\x00") is None


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.POSITION])
def test_every_kind_but_positions_is_indexed(kind):
    name = kind.name.lower()
    expected = [index for index, entry in enumerate(ENTRIES) if kind_of(entry) == name]
    assert len(expected) >= 30
    assert list(LOG.by_kind(name)) == list(LOG.by_kind(kind)) == expected
    assert list(LOG.by_kind(name, reverse=True)) == expected[::-1]
    assert list(LOG.by_kind(name, 100, 400)) == [index for index in expected if 100 <= index < 400]
    assert list(LOG.by_kind(name, 100, 400, reverse=True)) == [index for index in expected if 100 <= index < 400][::-1]
    assert list(LOG.by_kind(name, 5, 5)) == list(LOG.by_kind(name, 9, 3)) == list(LOG.by_kind(name, 5000)) == []
    assert list(LOG.entries_by_kind(name)) == [(index, ENTRIES[index]) for index in expected]
    assert LOG.counts[kind] == len(expected)


def test_many_entries_of_a_kind_are_read_in_steps():
    entries = [sample.inquiry(RNG) for _ in range(700)]
    log = written(entries).log(MEMBER)
    assert list(log.entries_by_kind("inquiry", reverse=True)) == list(enumerate(entries))[::-1]


@pytest.mark.parametrize("kind", ["position", Kind.POSITION, "loan", "", -1, 256])
def test_other_kinds_are_not_indexed(kind):
    with pytest.raises(InvalidInput) as caught:
        LOG.by_kind(kind)
    assert caught.value.reason == "BAD_KIND"


def test_entries_of_unknown_kinds_and_unsound_ones_are_kept_and_found():
    history = [sample.unknown(RNG, 100), b"no entry", sample.position(RNG), sample.unknown(RNG, 200), b"\xff"]
    replica = opened().replica(ORIGIN)
    replica.apply(block(history, 0, 5))
    log = replica.log
    assert list(log.entries(0)) == history
    assert list(log.by_kind(100)) == [0]
    assert list(log.entries_by_kind(200)) == [(3, history[3])]
    assert list(log.by_kind(UNSOUND)) == [1, 4]
    assert dict(log.counts) == {100: 1, UNSOUND: 2, Kind.POSITION: 1, 200: 1}


def test_the_last_position_and_its_time_are_known():
    last = max(index for index, entry in enumerate(ENTRIES) if kind_of(entry) == "position")
    assert LOG.last_position == Mark(last, parse_entry(ENTRIES[last]).time)
    assert LOG.counts[Kind.POSITION] == sum(kind_of(entry) == "position" for entry in ENTRIES)


def test_what_is_behind_the_newest_head_is_readable_but_has_no_receipt():
    chain = opened()
    chain.replica(ORIGIN).apply(block(ENTRIES, 0, 100))
    chain.replica(ORIGIN).apply(block(ENTRIES, 100, 300, 400))
    log = chain.log(MEMBER)
    assert (log.size, log.head) == (300, head_over(ENTRIES[:100]))
    assert log.entry(299) == ENTRIES[299]
    assert log.root_at(300) == merkle.root_of(LEAVES[:300])
    log.receipt(99).verify(ENTRIES[99], SIGNER.key)
    with pytest.raises(NotFound):
        log.receipt(100)


def test_a_log_is_a_log_view_to_the_protocols_readers():
    view: LogView = LOG
    assert [index for index, _ in view.entries_by_kind("inquiry", 600)] == list(LOG.by_kind("inquiry", 600))


def test_the_head_is_that_of_the_bytes_served():
    assert LOG.head is not None
    assert open_head(LOG.head.note.encode(), SIGNER.key) == LOG.head


def without(store: MemoryStore, index: int) -> Log:
    log = opened(store).log(MEMBER)
    store.write([(log.keys.entry(index), None)])
    return log


@pytest.mark.parametrize("index", [0, 7, 9])
def test_a_missing_entry_is_named(index):
    store = MemoryStore()
    entries = [sample.position(RNG) for _ in range(10)]
    written(entries, store=store)
    log = without(store, index)
    for read in (lambda: list(log.entries(0)), lambda: log.entries_at([1, index])):
        with pytest.raises(Unverified) as caught:
            read()
        assert (caught.value.reason, caught.value.path) == ("ENTRY_MISSING", f"entries[{index}]")
    assert list(log.entries(0, index)) == entries[:index]
