"""A member's log, an author who can fork it, and its key."""

from __future__ import annotations

from collections.abc import Sequence

from plimsoll.v1 import peer_pb2

from ledger.chain.chain import Chain, LogName
from ledger.chain.memory_store import MemoryStore
from ledger.chain.store import Store
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, SignedHead, sign_head
from ledger.tlog.note import Signer

MEMBER = "alpha"
ORIGIN = f"plimsoll/{'5' * 64}/{MEMBER}"
SIGNER = Signer.from_seed(ORIGIN, bytes(range(32)))
NAME = LogName(MEMBER, ORIGIN, SIGNER.key)


def opened(store: Store | None = None) -> Chain:
    """A chain of this one log."""
    return Chain(MemoryStore() if store is None else store, [NAME])


def written(*batches: Sequence[bytes], store: Store | None = None) -> Chain:
    """The chain after one append a batch."""
    chain = opened(store)
    for batch in batches:
        chain.own(SIGNER).append(batch)
    return chain


def head_over(entries: Sequence[bytes], signer: Signer = SIGNER) -> SignedHead:
    """What the author signs for these entries."""
    root = merkle.root_of([merkle.leaf_hash(entry) for entry in entries])
    return sign_head(Head(signer.key.name, len(entries), root), signer)


def block(history: Sequence[bytes], start: int, stop: int, size: int | None = None) -> peer_pb2.Block:
    """Entries start .. stop - 1 of a history, under its head of `size` (default: at their end). Slow and plain."""
    size = stop if size is None else size
    leaves = [merkle.leaf_hash(entry) for entry in history[:size]]
    proof = merkle.consistency_path(stop, size, lambda level, n: merkle.root_of(leaves[n << level : (n + 1) << level]))
    head = head_over(history[:size]).note.encode()
    return peer_pb2.Block(origin=ORIGIN, start=start, entries=history[start:stop], head=head, consistency=proof)
