"""Checking a stored log against itself: every byte is read and every hash made again (design section 11, immudb).

What must be in the store follows from the entries and the record of how far the log has got; whatever differs, lacks or
is too much is named. The entries themselves are held against the author's signed head. It takes a log at rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.checkpoint import open_head
from ledger.commit import stage
from ledger.entries import file_entry
from ledger.errors import Unverified
from ledger.log_heads import Heads
from ledger.log_keys import LogKeys, encode_index, last_index
from ledger.log_state import LogState, Record
from ledger.merkle import leaf_hash
from ledger.note import VerifierKey
from ledger.store import Put, Store, prefix_end
from ledger.tree import TILE_WIDTH, TileStore, Tree, split_hashes, tile_path

_CHUNK = 4096  # a multiple of a tile's width, so that a wrong tile and its entries fall into one chunk


def check_log(store: Store, keys: LogKeys, key: VerifierKey) -> LogState:
    """The log's state, after everything stored of it has been checked. key: the log's.

    Raises Unverified with the first bad thing as path: entries[i], or entries[i..j] where only the head shows that one
    of them is wrong; tiles[level][number]; standing; head.
    """
    raw = store.get(keys.standing)
    record = None if raw is None else Record.decode(raw)
    state = LogState(Tree(TileStore(lambda level, number: store.get(keys.tile(level, number)))))
    expected = _Counts()
    for chunk in _chunks(store, keys, 0 if record is None else record.size):
        state = _checked_chunk(store, keys, state, chunk, expected)
    for prefix, count in ((keys.tiles, expected.tiles), (keys.labels, expected.labels), (keys.kinds, expected.kinds)):
        if sum(1 for _ in store.scan(prefix, prefix_end(prefix))) != count:
            raise _stray(store, keys, prefix, state)
    if record is None or raw is None:
        return state
    restored = _restored(record, raw, state, key)
    _check_record(record, state)
    return restored


class _Counts:
    """How many keys there must be."""

    def __init__(self) -> None:
        self.tiles = self.labels = self.kinds = 0

    def add(self, keys: LogKeys, put: bytes) -> None:
        self.tiles += put.startswith(keys.tiles)
        self.labels += put.startswith(keys.labels)
        self.kinds += put.startswith(keys.kinds)


def _chunks(store: Store, keys: LogKeys, size: int) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    index = 0
    for key, entry in store.scan(keys.entries, prefix_end(keys.entries)):
        if key[len(keys.entries) :] != encode_index(index):
            break
        if index == size:
            raise Unverified("STRAY_ENTRY", f"the log has {size} entries, but more are stored", f"entries[{index}]")
        chunk.append(entry)
        index += 1
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if index < size:
        raise Unverified("ENTRY_MISSING", f"entry {index} is not in the store", f"entries[{index}]")
    if chunk:
        yield chunk


def _checked_chunk(store: Store, keys: LogKeys, state: LogState, chunk: Sequence[bytes], expected: _Counts) -> LogState:
    tree = state.tree.extended([leaf_hash(entry) for entry in chunk])
    puts, after = stage(keys, state, chunk, tree, Heads())
    derived = [put for put in puts if not put[0].startswith((keys.entries, keys.standing))]
    derived.sort(key=lambda put: not put[0].startswith(keys.tiles))  # a rotten entry spoils its index keys too
    stored = store.get_many([key for key, _ in derived])
    for put, found in zip(derived, stored, strict=True):
        expected.add(keys, put[0])
        if found != put[1]:
            raise _differs(keys, put, found)
    return after


def _differs(keys: LogKeys, put: Put, found: bytes | None) -> Unverified:
    key, right = put
    index = last_index(key)
    if not key.startswith(keys.tiles):
        return Unverified("INDEX_ROTTEN", "an index lacks the entry, or the entry has rotted", f"entries[{index}]")
    level = key[len(keys.tiles)]
    if level or found is None or right is None or len(found) != len(right):
        return Unverified("BAD_TILE", "a stored tile is missing or wrong", tile_path(level, index))
    pairs = zip(split_hashes(found), split_hashes(right), strict=True)
    place = next(place for place, (there, made) in enumerate(pairs) if there != made)
    entry = index * TILE_WIDTH + place
    return Unverified("LEAF_MISMATCH", "the entry and the leaf hash stored for it differ", f"entries[{entry}]")


def _stray(store: Store, keys: LogKeys, prefix: bytes, state: LogState) -> Unverified:
    """Every key that must be there is, so there is one too many."""
    for key, _ in store.scan(prefix, prefix_end(prefix)):
        index, middle = last_index(key), key[len(prefix) : -8]
        if prefix == keys.tiles:
            if index >= state.size >> 8 * (middle[0] + 1):
                return Unverified("STRAY_TILE", "a tile is stored that is not full", tile_path(middle[0], index))
            continue
        entry = store.get(keys.entry(index))
        filing = None if entry is None else file_entry(entry)
        if filing is None or middle not in (filing.label, bytes([filing.code])):
            return Unverified("INDEX_ROTTEN", "an index names an entry wrongly", f"entries[{index}]")
    return Unverified("INDEX_ROTTEN", "an index has a key that is none of this log's", "standing")


def _check_record(record: Record, state: LogState) -> None:
    if dict(record.counts) != dict(state.counts) or record.last_position != state.last_position:
        raise Unverified("BAD_STANDING", "the record of kinds and of the last position is wrong", "standing")


def _restored(record: Record, raw: bytes, state: LogState, key: VerifierKey) -> LogState:
    """Against the stored root and the signed heads. All tiles are as they should be, so entries can only be wrong in
    the last, partial one; not if they lead to the head all the same."""
    try:
        return LogState.restore(record, raw, state.tree, key)
    except Unverified as error:
        first = record.size - record.size % TILE_WIDTH
        if error.reason != "ROOT_MISMATCH" or error.path != "standing" or first == record.size:
            raise
        if record.head_note and open_head(record.head_note, key).head.root == state.tree.root():
            raise
        raise Unverified(error.reason, error.message, f"entries[{first}..{record.size - 1}]") from error
