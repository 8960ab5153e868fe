"""Making again what of a stored log follows from its entries: tiles, indexes, and what the record of how far the log
has got counts. Only where the entries themselves lead to the author's signed head; nothing is written before that is
known, and entries and heads never are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ledger.chain.fsck import CHUNK, empty_state, staged, strays
from ledger.chain.log_keys import LogKeys
from ledger.chain.log_state import LogState, Record
from ledger.chain.store import Put, Store
from ledger.errors import PlimsollError, Unverified
from ledger.tlog.checkpoint import open_head
from ledger.tlog.note import VerifierKey


@dataclass(frozen=True, slots=True)
class Repaired:
    """How many tiles and index keys were missing or wrong, how many were too many, whether the record was wrong."""

    wrong: int
    strays: int
    standing: bool

    @property
    def anything(self) -> bool:
        """Whether anything had to be repaired."""
        return bool(self.wrong or self.strays or self.standing)


def repair_log(store: Store, keys: LogKeys, key: VerifierKey) -> Repaired:
    """Repairs a log at rest. key: the log's. An interruption leaves it as damaged as before, or less.

    Raises Unverified, with nothing written, where entries, heads or the record cannot be believed.
    """
    raw = store.get(keys.standing)
    if raw is None:
        return Repaired(0, _drop_strays(store, keys, 0), standing=False)
    record = Record.decode(raw)
    state = _believed(store, keys, key, record)
    wrong = 0
    for puts, _ in staged(store, keys, record.size):
        wrong += _put_right(store, puts)
    dropped = _drop_strays(store, keys, record.size)
    right = replace(
        record, root=state.tree.root(), last_position=state.last_position, counts=dict(state.counts)
    ).encode()
    if right != raw or wrong or dropped:
        store.write([(keys.standing, right)], expect=(keys.standing, raw))  # and with it the rest becomes durable
    return Repaired(wrong, dropped, standing=right != raw)


def _believed(store: Store, keys: LogKeys, key: VerifierKey, record: Record) -> LogState:
    """The state that the entries lead to, which a signed head bears out."""
    if not record.head_note:
        raise Unverified("BAD_HEAD", "no signed head is stored that bears the entries out", "head")
    try:
        held = open_head(record.head_note, key).head
        for note in (record.cover_note, *record.ahead_notes):
            if note:
                open_head(note, key)
    except PlimsollError as error:
        raise Unverified("BAD_HEAD", f"a stored head is none of this log's: {error.message}", "head") from error
    covered = _replayed(store, keys, held.size)
    whole = covered if held.size == record.size else _replayed(store, keys, record.size)
    # Entries beyond the head were verified against a larger one by a proof that is not kept: the record vouches.
    if covered.tree.root() != held.root or (whole is not covered and whole.tree.root() != record.root):
        raise Unverified("ROOT_MISMATCH", "the stored entries do not lead to the author's head", "entries")
    return whole


def _replayed(store: Store, keys: LogKeys, size: int) -> LogState:
    state = empty_state(store, keys)
    for _, after in staged(store, keys, size, exactly=False):
        state = after
    return state


def _put_right(store: Store, puts: Sequence[Put]) -> int:
    found = store.get_many([key for key, _ in puts])
    wrong = [put for put, held in zip(puts, found, strict=True) if held != put[1]]
    if wrong:
        store.write(wrong, sync=False)
    return len(wrong)


def _drop_strays(store: Store, keys: LogKeys, size: int) -> int:
    dropped = 0
    for prefix in (keys.tiles, keys.labels, keys.kinds):
        found = strays(store, keys, prefix, size)
        while some := list(islice(found, CHUNK)):
            store.write([(key, None) for key in some], sync=False)
            dropped += len(some)
    return dropped
