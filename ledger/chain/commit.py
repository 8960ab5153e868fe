"""What one commit writes: entries, full tiles, both indexes and the record of how far the log has got, in one batch.

Replication spends its time here and in ledger.chain.tree, so the loop over entries calls nothing but the filing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import MappingProxyType

from plimsoll.v1 import entry_pb2

from ledger.chain.entries import Filing, Kind, file_entry
from ledger.chain.log_heads import Heads
from ledger.chain.log_keys import LogKeys
from ledger.chain.log_state import LogState, Mark, Record
from ledger.chain.store import Put
from ledger.chain.tree import Tree
from ledger.tlog.checkpoint import SignedHead


def stage(
    keys: LogKeys,
    state: LogState,
    entries: Sequence[bytes],
    tree: Tree,
    heads: Heads,
) -> tuple[list[Put], LogState]:
    """The puts that add `entries` to the log, and its state once they are durable.

    tree: the state's, extended by these entries and nothing else; heads: those to keep then.
    """
    filings = list(map(file_entry, entries))
    puts = _entry_puts(keys, state.size, entries, filings)
    puts += [(keys.tile(level, number), raw) for (level, number), raw in tree.new_tiles()]
    last_position = _last_position(state, entries, filings)
    counts = Counter(state.counts)
    counts.update(code for code, _ in filings)
    ahead = tuple(map(_encode, heads.ahead))
    record = Record(
        tree.size, tree.root(), last_position, counts, _encode(heads.held), _encode(heads.cover), ahead
    ).encode()
    puts.append((keys.standing, record))
    return puts, LogState(tree, heads, last_position, MappingProxyType(counts), record)


def _entry_puts(keys: LogKeys, start: int, entries: Sequence[bytes], filings: Sequence[Filing]) -> list[Put]:
    puts: list[Put] = []
    put = puts.append
    at_entry, at_label, position = keys.entries, keys.labels, Kind.POSITION
    for index, (entry, (code, label)) in enumerate(zip(entries, filings, strict=True), start):
        place = index.to_bytes(8, "big")
        put((at_entry + place, entry))
        if label is not None:
            put((at_label + label + place, b""))
        if code != position:
            put((keys.kind(code, index), b""))
    return puts


def _last_position(state: LogState, entries: Sequence[bytes], filings: Sequence[Filing]) -> Mark | None:
    for place in range(len(entries) - 1, -1, -1):
        if filings[place].code == Kind.POSITION:
            return Mark(state.size + place, entry_pb2.Entry.FromString(entries[place]).time)
    return state.last_position


def _encode(signed: SignedHead | None) -> bytes:
    return b"" if signed is None else signed.note.encode()
