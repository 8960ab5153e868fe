"""Blocks: consecutive entries of one log with what it takes to verify them (protocol section 4, Block in peer.proto).

Nothing in a block is believed before all of it is verified. A block whose entries do not lead to its head proves only
that somebody lies, perhaps its sender; a fork is the author's doing, raised only where its own signatures prove it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from plimsoll.v1 import peer_pb2

from ledger.chain.entries import MAX_ENTRY
from ledger.chain.log_heads import Heads, bare
from ledger.chain.log_state import LogState
from ledger.chain.tree import Tree
from ledger.errors import InvalidInput, PlimsollError, Unready, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, SignedHead, open_head
from ledger.tlog.merkle import CompactRange, NodeReader
from ledger.tlog.note import VerifierKey
from ledger.witnessing.fork import Fork

MAX_ENTRIES = 4096
MAX_BYTES = 2 << 20
USUAL_ENTRIES = 1000


class Source(Protocol):
    """The part of a log that blocks are made of."""

    @property
    def origin(self) -> str:
        """The log's name."""

    @property
    def head(self) -> SignedHead | None:
        """The newest head held in full."""

    def entries(self, start: int, stop: int | None = None) -> Iterator[bytes]:
        """Entries in order."""

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof between two sizes."""


def blocks_from(log: Source, start: int, *, limit: int = USUAL_ENTRIES) -> Iterator[peer_pb2.Block]:
    """The log from index `start` to the head it has now, in blocks of at most `limit` entries and 2 MiB.

    Raises what reading the log raises.
    """
    head = log.head
    while head is not None and start < head.head.size:
        entries = _taken(log.entries(start, min(start + limit, head.head.size)))
        yield _block(log, head, start, entries)
        start += len(entries)


def head_block(log: Source, start: int) -> peer_pb2.Block | None:
    """No entries, but the proof that the log's head extends its first `start` entries; None where there are fewer."""
    head = log.head
    return None if head is None or start > head.head.size else _block(log, head, start, [])


def _block(log: Source, head: SignedHead, start: int, entries: Sequence[bytes]) -> peer_pb2.Block:
    proof = log.consistency(start + len(entries), head.head.size)
    return peer_pb2.Block(origin=log.origin, start=start, entries=entries, head=head.note.encode(), consistency=proof)


def _taken(entries: Iterator[bytes]) -> list[bytes]:
    taken: list[bytes] = []
    size = 0
    for entry in entries:
        size += len(entry)
        if size > MAX_BYTES:
            break
        taken.append(entry)
    return taken


@dataclass(frozen=True, slots=True)
class Verified:
    """What a block adds to a log: the entries not yet held, and the tree and the heads with them."""

    entries: Sequence[bytes]
    tree: Tree
    heads: Heads


def verify_block(block: peer_pb2.Block, key: VerifierKey, state: LogState) -> Verified:
    """Checks a whole block against the log as it is held. Stores nothing.

    Raises InvalidInput for a block no log could have; Unready (GAP) where it begins beyond what is held; Fork;
    Unverified for another log, a signature that fails, or entries that do not lead to the head (ROOT_MISMATCH).
    """
    entries = _checked_entries(block)
    signed = _opened(block.head, key)
    end = block.start + len(entries)
    if block.origin != key.name:
        raise Unverified("WRONG_ORIGIN", "the block is of another log", "origin")
    if end > signed.head.size:
        raise InvalidInput("BEYOND_HEAD", "the block has entries beyond its head", "head")
    if block.start > state.size:
        raise Unready("GAP", f"the block begins at {block.start}, but {state.size} entries are held", "start")
    _check_known(signed, state)
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    fresh = state.size - block.start
    _check_held(block, leaves[:fresh], leaves, signed, state)
    tree = state.tree.extended(leaves[fresh:])
    _check_leads_to(end, tree.root() if end == tree.size else tree.root_at(end), signed.head, block.consistency)
    _check_passed(signed, end, tree, state)
    # A head further on is known to extend the tree up to the block's end only.
    covers = signed.head.size <= tree.size or end == tree.size
    heads = state.heads.after(signed, tree.size, covers=covers, grown=tree.size > state.size)
    return Verified(entries[fresh:], tree, heads)


def _checked_entries(block: peer_pb2.Block) -> list[bytes]:
    if len(block.entries) > MAX_ENTRIES:
        raise InvalidInput("BLOCK_TOO_LARGE", f"a block has at most {MAX_ENTRIES} entries", "entries")
    entries = list(block.entries)
    sizes = list(map(len, entries))
    if sum(sizes) > MAX_BYTES:
        raise InvalidInput("BLOCK_TOO_LARGE", f"a block has at most {MAX_BYTES} bytes of entries", "entries")
    if entries and not 1 <= min(sizes) <= max(sizes) <= MAX_ENTRY:
        wrong = next(number for number, size in enumerate(sizes) if not 1 <= size <= MAX_ENTRY)
        raise InvalidInput("BAD_ENTRY_SIZE", f"an entry is 1 to {MAX_ENTRY} bytes", f"entries[{wrong}]")
    return entries


def _opened(note: bytes, key: VerifierKey) -> SignedHead:
    try:
        return bare(open_head(note, key), key)
    except PlimsollError as error:
        raise error.under("head") from error


def _check_known(signed: SignedHead, state: LogState) -> None:
    """A head no larger than what is held, or than the head ahead, speaks of a tree that is known."""
    head = signed.head
    for ahead in state.heads.ahead:
        if ahead.head.size == head.size and ahead.head.root != head.root:
            raise Fork(ahead, signed, ahead.head.root, ())
    if head.size > state.size or state.tree.root_at(head.size) == head.root:
        return
    known = state.heads.covering(head.size - 1)
    if known.head.size > state.size:
        raise Fork(known, signed)
    proof = state.tree.consistency(head.size, known.head.size)
    raise Fork(known, signed, state.tree.root_at(head.size), proof)


def _check_held(
    block: peer_pb2.Block, held: Sequence[bytes], leaves: Sequence[bytes], signed: SignedHead, state: LogState
) -> None:
    """Entries held already must be the same. If they are not, either the sender lies or the author has forked."""
    tree, start = state.tree, block.start
    differing = (start + place for place, leaf in enumerate(held) if tree.leaf_hash(start + place) != leaf)
    first = next(differing, None)
    if first is None:
        return
    edge = CompactRange.load(start, tree.node)
    edge.extend(leaves)
    _check_leads_to(edge.size, edge.root(), signed.head, block.consistency)
    known = state.heads.covering(first)
    if known.head.size <= edge.size == signed.head.size:
        node = _overlay(tree, start, leaves)
        old_root = merkle.root_at(known.head.size, node)
        raise Fork(known, signed, old_root, merkle.consistency_path(known.head.size, edge.size, node))
    raise Fork(known, signed)


def _overlay(tree: Tree, start: int, leaves: Sequence[bytes]) -> NodeReader:
    """The tree of the first `start` leaves with others behind."""

    def node(level: int, index: int) -> bytes:
        if index + 1 << level <= start:
            return tree.node(level, index)
        if level == 0:
            return leaves[index - start]
        return merkle.node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


def _check_leads_to(size: int, root: bytes, head: Head, proof: Sequence[bytes]) -> None:
    try:
        merkle.verify_consistency(size, root, head.size, head.root, tuple(proof))
    except Unverified as error:
        raise Unverified("ROOT_MISMATCH", "the entries do not lead to the head's root", "entries") from error
    except InvalidInput as error:
        raise InvalidInput(error.reason, error.message, "consistency") from error


def _check_passed(signed: SignedHead, end: int, tree: Tree, state: LogState) -> None:
    """Once the entries reach a head that was ahead, its root must be theirs."""
    for ahead in state.heads.ahead:
        size = ahead.head.size
        if size > tree.size or tree.root_at(size) == ahead.head.root:
            continue
        if end == signed.head.size:
            raise Fork(ahead, signed, tree.root_at(size), tree.consistency(size, end))
        raise Fork(ahead, signed)
