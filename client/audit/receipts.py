"""Receipts, fetched from the node and held against the log as it was read."""

from __future__ import annotations

from collections.abc import Callable

from plimsoll.v1 import audit_pb2

from client.audit.follower import Follower
from ledger import merkle
from ledger.errors import Unverified
from ledger.note import VerifierKey
from ledger.receipt import Receipt

PER_LOG = 8

Fetch = Callable[[str, int], audit_pb2.ReceiptResponse]
Consistency = Callable[[str, int, int], list[bytes]]


def sample(size: int, draw: Callable[[int], int], count: int = PER_LOG) -> list[int]:
    """Which receipts to check of a log: the first, the last, and others at random. draw(n) gives 0 .. n - 1."""
    if size <= count:
        return list(range(size))
    return sorted({0, size - 1, *(draw(size) for _ in range(count - 2))})


def check(follower: Follower, index: int, log_key: VerifierKey, fetch: Fetch, consistency: Consistency) -> None:
    """Fetches a receipt and checks it: its head signed, its entry the one that was read, its head a continuation of
    what was read. Raises Unverified, InvalidInput, and what the calls do."""
    answer = fetch(log_key.name, index)
    receipt = Receipt.parse(answer.receipt)
    if receipt.index != index:
        raise Unverified("OTHER_RECEIPT", "the receipt is of another entry")
    head = receipt.verify(answer.entry, log_key).head
    if merkle.leaf_hash(answer.entry) != follower.leaf(index):
        raise Unverified("OTHER_ENTRY", "the receipt is of another entry than stands in the log")
    read = follower.head
    if head.size < read.size:
        raise Unverified("OLD_RECEIPT", "the receipt is under a head older than the log that was read")
    path = consistency(log_key.name, read.size, head.size) if head.size > read.size else []
    merkle.verify_consistency(read.size, read.root, head.size, head.root, tuple(path))
