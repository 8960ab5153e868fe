"""Targets: proofs, blocks, and whole logs, replicated or found on disk (docs/protocol.md, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any

from plimsoll.v1 import peer_pb2

from client.audit.reading.follower import Follower
from ledger.chain.block import verify_block
from ledger.chain.chain import Replica
from ledger.chain.entries import UNSOUND, Kind, file_entry
from ledger.chain.log_state import Record
from ledger.chain.memory_store import MemoryStore
from ledger.errors import PlimsollError
from ledger.tlog import merkle
from ledger.tlog.receipt import Receipt
from tests.fuzz.inputs import agree, joined, message, split
from tests.fuzz.target import Target
from tests.ledger import sample_entries, sample_logs
from tests.second import merkle as second_merkle
from tests.second.refusal import Refused

# -- proofs: two sizes of 8 bytes, two hashes, the path


def _proof(raw: bytes) -> tuple[int, int, bytes, bytes, list[bytes]]:
    first, second = (int.from_bytes(raw[at : at + 8], "big") for at in (0, 8))
    hashes = [raw[at : at + 32] for at in range(16, max(len(raw), 80), 32)]
    return first, second, hashes[0], hashes[1], hashes[2:]


def _pack(first: int, second: int, *hashes: bytes) -> bytes:
    return first.to_bytes(8, "big") + second.to_bytes(8, "big") + b"".join(hashes)


def _inclusion(raw: bytes) -> None:
    index, size, leaf, root, path = _proof(raw)

    def theirs() -> None:
        found = second_merkle.root_from_inclusion(index, size, leaf, path)
        if size >= 1 << 63 or any(len(one) != 32 for one in (leaf, root, *path)) or found != root:
            raise Refused("BAD_PROOF")

    agree(lambda: merkle.verify_inclusion(leaf, index, size, path, root), theirs)


def _consistency(raw: bytes) -> None:
    old, new, old_root, new_root, path = _proof(raw)

    def theirs() -> None:
        if new >= 1 << 63 or any(len(one) != 32 for one in (old_root, new_root, *path)):
            raise Refused("BAD_PROOF")
        if old == 0:  # the empty tree is consistent with every other, by the empty proof
            if path or old_root != merkle.EMPTY_ROOT or (new == 0 and new_root != old_root):
                raise Refused("BAD_PROOF")
            return
        second_merkle.check_consistency(old, new, old_root, new_root, path)

    agree(lambda: merkle.verify_consistency(old, old_root, new, new_root, path), theirs)


def _trees() -> tuple[list[bytes], Callable[[int, int], bytes]]:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(11)]
    return leaves, lambda level, number: merkle.root_of(leaves[number << level : (number + 1) << level])


def _inclusions() -> Iterator[bytes]:
    leaves, node = _trees()
    for index, size in ((0, 1), (3, 4), (0, 7), (6, 7), (10, 11), (7, 11)):
        path = merkle.inclusion_path(index, size, node)
        yield _pack(index, size, leaves[index], merkle.root_of(leaves[:size]), *path)


def _consistencies() -> Iterator[bytes]:
    leaves, node = _trees()
    for old, new in ((0, 5), (4, 4), (4, 8), (3, 7), (6, 11), (10, 11)):
        roots = (merkle.root_of(leaves[:size]) for size in (old, new))
        yield _pack(old, new, *roots, *merkle.consistency_path(old, new, node))


# -- blocks and logs


@cache
def _entries() -> tuple[bytes, ...]:
    rng = Random(1)
    return tuple(make(rng) for make in (*sample_entries.BUILDERS, sample_entries.unknown))


@cache
def _held() -> MemoryStore:
    """A log of four entries."""
    store = MemoryStore()
    sample_logs.written(_entries()[:4], store=store)
    return store


def _copy(store: MemoryStore) -> MemoryStore:
    copied = MemoryStore()
    copied.write(list(store.scan(b"", b"\xff" * 40)))
    return copied


def read_block(block: peer_pb2.Block) -> None:
    """As a node and as an auditor takes it."""
    follower = Follower(sample_logs.SIGNER.key, sizes=[2, 4], indices=[1])
    refusal: PlimsollError | None = None
    for read in (follower.take, lambda one: verify_block(one, sample_logs.SIGNER.key, held_log().state)):
        try:
            read(block)
        except PlimsollError as error:
            refusal = error
        else:
            return
    assert refusal is not None
    raise refusal


@cache
def held_log() -> Any:
    """Of four entries."""
    return sample_logs.opened(_copy(_held())).log(sample_logs.MEMBER)


@cache
def blocks() -> tuple[peer_pb2.Block, ...]:
    """Some that continue it, or begin it."""
    history = _entries()
    cuts = ((0, 3, None), (4, 9, None), (2, 6, 9), (4, 4, 9), (0, 4, 4))
    return tuple(sample_logs.block(history, start, stop, size) for start, stop, size in cuts)


def _log(raw: bytes) -> None:
    """Entries of an author that signs whatever it likes, replicated, filed, and read back by every index."""
    entries = split(raw)[:64]
    store = MemoryStore()
    Replica(sample_logs.opened(store).log(sample_logs.MEMBER)).apply(sample_logs.block(entries, 0, len(entries)))
    log = sample_logs.opened(store).log(sample_logs.MEMBER)
    filings = list(map(file_entry, entries))
    assert list(log.entries(0)) == entries
    for code in {one.code for one in filings} - {Kind.POSITION}:
        assert list(log.by_kind(code)) == [place for place, one in enumerate(filings) if one.code == code]
    for label in {one.label for one in filings if one.label is not None}:
        assert log.find(label) == next(place for place, one in enumerate(filings) if one.label == label)
    assert sum(log.counts.values()) == len(entries)
    for place, one in enumerate(filings):
        assert (one.code == UNSOUND) <= (one.label is None)
        Receipt.parse(log.receipt(place).encode()).verify(entries[place], log.key)


def _log_state(raw: bytes) -> None:
    """The record of how far a log has got, in a store that has rotted."""
    assert Record.decode(raw).encode() == raw
    store = _copy(_held())
    key = sample_logs.opened(store).log(sample_logs.MEMBER).keys.standing
    store.write([(key, raw)])
    log = sample_logs.opened(store).log(sample_logs.MEMBER)
    assert log.state.record == raw
    log.receipt(0)


def _log_states() -> list[bytes]:
    key = sample_logs.opened(_held()).log(sample_logs.MEMBER).keys.standing
    record = _held().get(key)
    assert record is not None
    return [record]


TARGETS = (
    Target("inclusion-proof", _inclusion, lambda: list(_inclusions())),
    Target("consistency-proof", _consistency, lambda: list(_consistencies())),
    Target(
        "block",
        lambda raw: read_block(message(peer_pb2.Block, raw)),
        lambda: [one.SerializeToString() for one in blocks()],
    ),
    Target("log", _log, lambda: [joined(_entries()), joined(_entries()[:2])]),
    Target("log-state", _log_state, _log_states),
)
