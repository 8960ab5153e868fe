"""Checking a stored log against itself: every byte is read and every hash made again (design section 11, immudb).

What must be in the store follows from the entries and the record of how far the log has got; whatever differs, lacks or
is too much is named. The entries themselves are held against the author's signed head. It takes a log at rest. What
follows from the entries can be made again out of them: ledger.chain.repair.

The indexes are compared as sets: the keys that there must be and the keys that there are, each set as the sum of its
members' hashes by the interpreter's own keyed hash (SipHash). Only where the sums differ is each key looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from ledger.chain.commit import stage
from ledger.chain.entries import file_entry
from ledger.chain.log_heads import Heads
from ledger.chain.log_keys import LogKeys, encode_index, last_index
from ledger.chain.log_state import LogState, Record
from ledger.chain.store import Put, Store, prefix_end
from ledger.chain.tree import TILE_WIDTH, TileStore, Tree, split_hashes, tile_path
from ledger.errors import Unverified
from ledger.tlog.checkpoint import open_head
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import VerifierKey

CHUNK = 4096
"""Entries at a time; a multiple of a tile's width, so that a wrong tile and its entries fall into one chunk."""

Progress = Callable[[int], object]
"""Told how many entries have been looked at."""


def check_log(store: Store, keys: LogKeys, key: VerifierKey, progress: Progress = bool) -> LogState:
    """The log's state, after everything stored of it has been checked. key: the log's.

    Raises Unverified with the first bad thing as path: entries[i], or entries[i..j] where only the head shows that one
    of them is wrong; tiles[level][number]; standing; head.
    """
    raw = store.get(keys.standing)
    record = None if raw is None else Record.decode(raw)
    size = 0 if record is None else record.size
    expected = _Expected(keys)
    state = empty_state(store, keys)
    for puts, state in staged(store, keys, size):
        tiles = [put for put in puts if put[0].startswith(keys.tiles)]
        _compare(store, keys, tiles)
        expected.add(puts)
        progress(state.size)
    if not expected.are_in(store):
        _find_index_fault(store, keys, size, state)
    if record is None or raw is None:
        return state
    restored = _restored(record, raw, state, key)
    _check_record(record, state)
    return restored


class _Expected:
    """The keys that there must be: how many, and the sum of their hashes."""

    def __init__(self, keys: LogKeys) -> None:
        self._prefixes = (keys.tiles, keys.labels, keys.kinds)
        self._counts = dict.fromkeys(self._prefixes, 0)
        self._sums = dict.fromkeys(self._prefixes, 0)

    def add(self, puts: Sequence[Put]) -> None:
        """The keys of these puts, as far as they are not entries and the like."""
        for prefix in self._prefixes:
            found = [key for key, _ in puts if key.startswith(prefix)]
            self._counts[prefix] += len(found)
            self._sums[prefix] += sum(map(hash, found))

    def are_in(self, store: Store) -> bool:
        """Whether these and no others are in the store, those of the indexes without a value."""
        return all(
            self._count(store, prefix) == (self._counts[prefix], self._sums[prefix]) for prefix in self._prefixes
        )

    def _count(self, store: Store, prefix: bytes) -> tuple[int, int]:
        pairs = store.scan(prefix, prefix_end(prefix))
        number = total = 0
        while some := list(islice(pairs, CHUNK)):
            if prefix != self._prefixes[0] and any(value for _, value in some):
                return -1, 0
            number += len(some)
            total += sum(hash(key) for key, _ in some)
        return number, total


def empty_state(store: Store, keys: LogKeys) -> LogState:
    """Of a log without entries, whose tree reads the store's tiles."""
    return LogState(Tree(TileStore(lambda level, number: store.get(keys.tile(level, number)))))


def staged(store: Store, keys: LogKeys, size: int, *, exactly: bool = True) -> Iterator[tuple[list[Put], LogState]]:
    """The first `size` entries once more, chunk by chunk: tiles and index keys that each puts into the store, and the
    state then. Raises Unverified for an entry missing or, where there are to be `exactly` so many, one too many."""
    state = empty_state(store, keys)
    for chunk in _chunks(store, keys, size, exactly):
        tree = state.tree.extended([leaf_hash(entry) for entry in chunk])
        puts, state = stage(keys, state, chunk, tree, Heads())
        yield [put for put in puts if not put[0].startswith((keys.entries, keys.standing))], state


def _chunks(store: Store, keys: LogKeys, size: int, exactly: bool) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    index = 0
    for key, entry in store.scan(keys.entries, prefix_end(keys.entries)):
        if key[len(keys.entries) :] != encode_index(index):
            break
        if index == size and not exactly:
            break
        if index == size:
            raise Unverified("STRAY_ENTRY", f"the log has {size} entries, but more are stored", f"entries[{index}]")
        chunk.append(entry)
        index += 1
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if index < size:
        raise Unverified("ENTRY_MISSING", f"entry {index} is not in the store", f"entries[{index}]")
    if chunk:
        yield chunk


def _compare(store: Store, keys: LogKeys, puts: Sequence[Put]) -> None:
    stored = store.get_many([key for key, _ in puts])
    for put, found in zip(puts, stored, strict=True):
        if found != put[1]:
            raise _differs(keys, put, found)


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


def _find_index_fault(store: Store, keys: LogKeys, size: int, state: LogState) -> None:
    """Names the first key that lacks, is wrong or is too much. Raises Unverified, always."""
    for puts, _ in staged(store, keys, size):
        _compare(store, keys, puts)
    for prefix in (keys.tiles, keys.labels, keys.kinds):
        for key in strays(store, keys, prefix, state.size):
            if prefix == keys.tiles:
                level = key[len(prefix)]
                raise Unverified("STRAY_TILE", "a tile is stored that is not full", tile_path(level, last_index(key)))
            raise Unverified("INDEX_ROTTEN", "an index names an entry wrongly", f"entries[{last_index(key)}]")
    raise Unverified("INDEX_ROTTEN", "an index has a key that is none of this log's", "standing")


def strays(store: Store, keys: LogKeys, prefix: bytes, size: int) -> Iterator[bytes]:
    """Keys of tiles or of an index that do not belong to the first `size` entries."""
    pairs = store.scan(prefix, prefix_end(prefix))
    while some := [key for key, _ in islice(pairs, CHUNK)]:
        if prefix == keys.tiles:
            yield from (key for key in some if last_index(key) >= size >> 8 * (key[len(prefix)] + 1))
            continue
        entries = store.get_many([keys.entry(last_index(key)) for key in some])
        for key, entry in zip(some, entries, strict=True):
            filing = None if entry is None or last_index(key) >= size else file_entry(entry)
            if filing is None or key[len(prefix) : -8] != (
                filing.label if prefix == keys.labels else bytes([filing.code])
            ):
                yield key


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
