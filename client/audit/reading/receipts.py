"""Receipts, fetched from the node and held against the log as it was read."""

from __future__ import annotations

from collections.abc import Callable

from client.audit.reading.follower import Follower
from client.audit.reading.source import Source
from ledger.errors import Unverified
from ledger.tlog import merkle
from ledger.tlog.note import VerifierKey
from ledger.tlog.receipt import Receipt

PER_LOG = 8


def sample(size: int, draw: Callable[[int], int], count: int = PER_LOG) -> list[int]:
    """Which receipts to check of a log: the first, the last, and others at random. draw(n) gives 0 .. n - 1."""
    if size <= count:
        return list(range(size))
    return sorted({0, size - 1, *(draw(size) for _ in range(count - 2))})


def check(source: Source, log_key: VerifierKey, follower: Follower, index: int) -> None:
    """Checks a receipt, and that it is of the entry that was read. Raises as `fetch_entry`."""
    entry = fetch_entry(source, log_key, follower, index)
    read = follower.leaf(index)  # of entries that an earlier audit has read the receipt alone tells
    if read is not None and merkle.leaf_hash(entry) != read:
        raise Unverified("OTHER_ENTRY", "the receipt is of another entry than stands in the log")


def fetch_entry(source: Source, log_key: VerifierKey, follower: Follower, index: int) -> bytes:
    """An entry by its receipt: the head signed, the path right, the head that of the log that was read or a
    continuation of it. Raises Unverified, InvalidInput, and what the calls do."""
    answer = source.receipt(log_key.name, index)
    receipt = Receipt.parse(answer.receipt)
    if receipt.index != index:
        raise Unverified("OTHER_RECEIPT", "the receipt is of another index")
    head = receipt.verify(answer.entry, log_key).head
    read = follower.head
    if head.size < read.size:
        raise Unverified("OLD_RECEIPT", "the receipt is under a head older than the log that was read")
    path = source.consistency(log_key.name, read.size, head.size) if head.size > read.size else []
    merkle.verify_consistency(read.size, read.root, head.size, head.root, tuple(path))
    return answer.entry
