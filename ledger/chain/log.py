"""One member's log as it is held here: this member's own or a replica of another's. Reading is in this file.

What is held is described by a `LogState` that never changes; a commit replaces it by one assignment after the store has
made it durable. Readers take it once per question and need no lock: everything it speaks of is in the store already.
Writers, of which there may be several (pushes and pulls of one log), exclude each other by the lock that is handed in,
and two processes by the store's compare-and-set on the record. Nothing else is shared but caches of what cannot change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from ledger.chain.commit import stage
from ledger.chain.entries import KIND_CODES, MAX_KIND, Kind
from ledger.chain.log_heads import Heads
from ledger.chain.log_keys import LABEL_SIZE, LogKeys, encode_index, last_index
from ledger.chain.log_state import LogState, Mark, Record
from ledger.chain.store import Store
from ledger.chain.tree import TILE_WIDTH, TileStore, Tree
from ledger.errors import InvalidInput, NotFound, Unverified
from ledger.tlog.checkpoint import SignedHead
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import VerifierKey
from ledger.tlog.receipt import Receipt

Lock = AbstractContextManager[Any]
Listener = Callable[["Log", int], object]
"""Told of a log and how many entries it held before, once more of it, or a newer head, is durable."""

_ROOTS_KEPT = 4096
_INDEX_STEP = 256  # keys of the kind index read at a time


class Log:
    """One log. Any thread may read. Unverified leaves any method where what the store holds has rotted."""

    def __init__(
        self, store: Store, number: int, member: str, key: VerifierKey, lock: Lock, listeners: Sequence[Listener] = ()
    ) -> None:
        """For `chain.chain`. key: the log's, named by the origin; lock: guards writing, and reading the state anew."""
        self.member = member
        self.key = key
        self.keys = LogKeys(number)
        self.lock = lock
        self._store = store
        self._listeners = listeners
        self._tiles = TileStore(lambda level, number: store.get(self.keys.tile(level, number)))
        self._state: LogState | None = None
        self._root_at = lru_cache(_ROOTS_KEPT)(self._find_root)

    # -- what is held

    @property
    def origin(self) -> str:
        """The log's name, which its key bears."""
        return self.key.name

    @property
    def state(self) -> LogState:
        """What is held, at one moment. Read from the store the first time, and again after a write that failed."""
        state = self._state
        if state is None:
            with self.lock:
                state = self.state_for_writing()
        return state

    @property
    def size(self) -> int:
        """How many entries are held, each verified against a signed head."""
        return self.state.size

    @property
    def head(self) -> SignedHead | None:
        """The largest signed head whose entries are all held; None for an empty log."""
        return self.state.heads.held

    @property
    def covered(self) -> int:
        """How many entries `head` covers: those, and no others, can be passed on."""
        head = self.head
        return 0 if head is None else head.head.size

    @property
    def last_position(self) -> Mark | None:
        """The last Position: its index and its author's time."""
        return self.state.last_position

    @property
    def counts(self) -> Mapping[int, int]:
        """How many entries are held of each kind, by its code (ledger.chain.entries)."""
        return self.state.counts

    # -- entries

    def entry(self, index: int) -> bytes:
        """An entry's bytes. Raises NotFound beyond what is held."""
        return self.entries_at([index])[0]

    def entries_at(self, indices: Sequence[int]) -> list[bytes]:
        """Several entries in one read, in the order asked. Raises NotFound beyond what is held."""
        size = self.size
        for index in indices:
            if not 0 <= index < size:
                raise NotFound("NO_ENTRY", f"{size} entries are held of this log, none has index {index}", "index")
        found = self._store.get_many([self.keys.entry(index) for index in indices])
        entries = [entry for entry in found if entry is not None]
        if len(entries) != len(found):
            raise _missing(indices[found.index(None)])
        return entries

    def entries(self, start: int, stop: int | None = None) -> Iterator[bytes]:
        """Entries from `start` on, before `stop` and as far as held now, in order."""
        return self._scanned(start, min(self.size, self.size if stop is None else stop))

    def _scanned(self, start: int, stop: int) -> Iterator[bytes]:
        index = start
        if start < stop:
            for key, entry in self._store.scan(self.keys.entry(start), self.keys.entry(stop)):
                if key[-8:] != encode_index(index):
                    raise _missing(index)
                yield entry
                index += 1
            if index < stop:
                raise _missing(index)

    # -- the tree

    def leaf_hash(self, index: int) -> bytes:
        """SHA-256(00 || entry), from the tree. Raises InvalidInput beyond what is held."""
        return self.state.tree.leaf_hash(index)

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries. Raises InvalidInput beyond what is held."""
        return self._root_at(size)

    def _find_root(self, size: int) -> bytes:
        return self.state.tree.root_at(size)

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof between two sizes (RFC 6962). Raises InvalidInput beyond what is held."""
        return self.state.tree.consistency(old_size, new_size)

    def receipt(self, index: int, under: SignedHead | None = None) -> Receipt:
        """The entry's receipt under `head`, or under another one of what is held. Raises NotFound where that does not
        cover the entry, or is of more than is held or of another history."""
        state = self.state
        head = under or state.heads.held
        if head is None or not 0 <= index < head.head.size <= state.size:
            raise NotFound("NO_ENTRY", "no head held of this log covers such an entry", "index")
        if under is not None and self.root_at(under.head.size) != under.head.root:
            raise NotFound("NO_ENTRY", "this head is of another history than the one held", "index")
        return Receipt(index, state.tree.inclusion(index, head.head.size), head.note.encode())

    # -- the indexes

    def find(self, label: bytes) -> int | None:
        """Index of the first entry, the one that counts, with this label (16 bytes). Raises InvalidInput."""
        return self.find_many([label])[0]

    def find_many(self, labels: Sequence[bytes]) -> list[int | None]:
        """Several searches in one read."""
        size = self.size
        for number, label in enumerate(labels):
            if len(label) != LABEL_SIZE:
                raise InvalidInput("BAD_LENGTH", f"a label is {LABEL_SIZE} bytes", f"labels[{number}]")
        found = self._store.first_many([self.keys.labels + label for label in labels])
        indices = [None if pair is None else last_index(pair[0]) for pair in found]
        # A commit may become visible in the store a moment before it does in the state.
        return [index if index is not None and index < size else None for index in indices]

    def by_kind(
        self, kind: str | int, start: int = 0, stop: int | None = None, *, reverse: bool = False
    ) -> Iterator[int]:
        """Indices of the entries of a kind from `start` on and before `stop`, ascending or falling, as held now.

        kind: its name in Entry or its code. Every kind is indexed but positions, which make up the log. The entries are
        sound unless their kind is not known here. Raises InvalidInput for a name that is none, or positions.
        """
        code = KIND_CODES.get(kind) if isinstance(kind, str) else kind
        if code is None or not 0 <= code <= MAX_KIND or code == Kind.POSITION:
            raise InvalidInput("BAD_KIND", "entries of this kind are not indexed", "kind")
        state = self.state
        if not state.counts.get(code):  # asked for in every query of kinds that are mostly not there
            return iter(())
        return self._kind_indices(code, start, state.size if stop is None else min(stop, state.size), reverse)

    def _kind_indices(self, code: int, start: int, stop: int, reverse: bool) -> Iterator[int]:
        if start < stop:
            pairs = self._store.scan(self.keys.kind(code, start), self.keys.kind(code, stop), reverse=reverse)
            for key, _ in pairs:
                yield last_index(key)

    def entries_by_kind(
        self, kind: str | int, start: int = 0, stop: int | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[int, bytes]]:
        """As `by_kind`, with the entries' bytes."""
        batch: list[int] = []
        for index in self.by_kind(kind, start, stop, reverse=reverse):
            batch.append(index)
            if len(batch) == _INDEX_STEP:
                yield from zip(batch, self.entries_at(batch), strict=True)
                batch.clear()
        yield from zip(batch, self.entries_at(batch), strict=True)

    # -- writing, for ledger.chain.own_log and ledger.chain.replica

    def state_for_writing(self) -> LogState:
        """The state to build on. The caller holds `lock`."""
        if self._state is None:
            self._state = self._read_state()
        return self._state

    def commit(self, entries: Sequence[bytes], tree: Tree, heads: Heads) -> None:
        """Makes the log what is handed in, durably and at once. The caller holds `lock`.

        Raises what the store raises; whether it then happened is found out before anything else is done with the log.
        """
        before = self.state_for_writing()
        puts, after = stage(self.keys, before, entries, tree, heads)
        try:
            self._store.write(puts, expect=(self.keys.standing, before.record))
            self._state = after
        except BaseException:
            # What is on disk is not known now: going on from `before` could sign a second history.
            self._state = None
            raise

    def announce(self, size_before: int) -> None:
        """Tells the listeners. The caller no longer holds `lock`, so that they may write."""
        for listener in self._listeners:
            listener(self, size_before)

    def _read_state(self) -> LogState:
        raw = self._store.get(self.keys.standing)
        if raw is None:
            return LogState(Tree(self._tiles))
        record = Record.decode(raw)
        tail = self._scanned(record.size - record.size % TILE_WIDTH, record.size)
        tree = Tree.load(self._tiles, record.size, [leaf_hash(entry) for entry in tail])
        return LogState.restore(record, raw, tree, self.key)


def _missing(index: int) -> Unverified:
    return Unverified("ENTRY_MISSING", f"entry {index} is not in the store", f"entries[{index}]")
