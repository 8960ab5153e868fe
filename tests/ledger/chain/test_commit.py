"""What a log leaves in the store: exactly the keys and values that ledger.chain.log_keys documents."""

from __future__ import annotations

from random import Random

from ledger.chain.entries import parse_entry
from ledger.chain.memory_store import MemoryStore
from ledger.tlog import merkle
from tests.ledger import sample_entries as sample
from tests.ledger.sample_logs import MEMBER, ORIGIN, SIGNER, block, opened, written

RNG = Random(71)


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def test_the_store_holds_what_is_documented_and_nothing_else():
    entries = [(sample.position, sample.inquiry, sample.ready)[number % 3](RNG) for number in range(300)]
    store = MemoryStore()
    chain = written(entries[:250], entries[250:], store=store)
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    expected = {b"o" + ORIGIN.encode(): b"\0\0", b"n": b"\0\x01", b"t\0\0\0" + u64(0): b"".join(leaves[:256])}
    for index, entry in enumerate(entries):
        expected[b"e\0\0" + u64(index)] = entry
        message = parse_entry(entry)
        if message.HasField("ready"):
            expected[b"k\0\0" + bytes([10]) + u64(index)] = b""
        else:
            label = message.position.label or message.inquiry.label
            expected[b"l\0\0" + label + u64(index)] = b""
        if message.HasField("inquiry"):
            expected[b"k\0\0" + bytes([3]) + u64(index)] = b""
    stored = store.snapshot()
    record = stored.pop(b"s\0\0")
    assert stored == expected
    head = chain.log(MEMBER).head
    assert head is not None
    assert record.startswith(b"\x01" + u64(300) + merkle.root_of(leaves))
    assert record.endswith(head.note.encode() + bytes(4))  # no cover


def test_what_is_in_the_store_but_not_yet_acknowledged_is_not_seen():
    """Another thread may read between the end of a write and the moment its writer knows of it."""
    first, second = sample.inquiry(RNG), sample.inquiry(RNG)
    seen: list[tuple[object, ...]] = []

    class Slow(MemoryStore):
        def write(self, puts, *, sync=True, expect=None):
            super().write(puts, sync=sync, expect=expect)
            if self.writes > 2:
                log = chain.log(MEMBER)
                label = parse_entry(second).inquiry.label
                seen.append((log.size, log.find(label), list(log.by_kind("inquiry")), list(log.entries(0))))

    chain = opened(Slow())
    own = chain.own(SIGNER)
    own.append([first])
    own.append([second])
    assert seen == [(1, None, [0], [first])]
    assert own.log.find(parse_entry(second).inquiry.label) == 1


def test_a_replica_is_stored_as_its_author_stores_it():
    entries = [sample.BUILDERS[number % len(sample.BUILDERS)](RNG) for number in range(280)]
    source, copy = MemoryStore(), MemoryStore()
    written(entries, store=source)
    replica = opened(copy).replica(ORIGIN)
    for start in range(0, 280, 40):
        replica.apply(block(entries, start, start + 40, 280))
    assert copy.snapshot() == source.snapshot()
