"""Appending to this member's own log: the one place where new history is made and signed."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.chain.entries import file_entry, parse_entry
from ledger.chain.log import Log
from ledger.chain.log_heads import Heads
from ledger.chain.log_state import LogState
from ledger.errors import InvalidInput, Refused, Unready
from ledger.tlog.checkpoint import Head, sign_head
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import Signer


class OwnLog:
    """Appends to `log` under its own key. Whether this node may sign at all (the self-fork guard) is the caller's."""

    def __init__(self, log: Log, signer: Signer) -> None:
        """Raises InvalidInput where the signer is not of this log's key."""
        if signer.key != log.key:
            raise InvalidInput("WRONG_KEY", "the signing key is not the one known for this log", "signer")
        self.log = log
        self._signer = signer

    @property
    def size(self) -> int:
        """How many entries are held."""
        return self.log.size

    def append(self, entries: Sequence[bytes]) -> int:
        """Index of the first of `entries`. When it returns, all are durable under one new signed head.

        Callers that wait at the same time should share one call: it is one synced write. Raises InvalidInput for an
        entry that is not sound, Refused (LABEL_TAKEN) for a label that stands in the log or the batch already, Unready
        (INCOMPLETE_LOG) where a larger head of this log is known; nothing is stored then. Raises what the store
        raises where the write fails; whether it happened shows in `size` then, and no other history is signed.
        """
        if not entries:
            raise InvalidInput("NO_ENTRIES", "there is nothing to append", "entries")
        _check_sound(entries)
        with self.log.lock:
            state = self.log.state_for_writing()
            _check_complete(state)
            self._check_labels(entries)
            tree = state.tree.extended([leaf_hash(entry) for entry in entries])
            # The signature does not leave this function before the store has made durable what it covers.
            head = sign_head(Head(self.log.origin, tree.size, tree.root()), self._signer)
            self.log.commit(entries, tree, Heads(head))
        self.log.announce(state.size)
        return state.size

    def _check_labels(self, entries: Sequence[bytes]) -> None:
        """A label used twice is misconduct that its key's holders can prove for ever (design section 6)."""
        places: dict[bytes, int] = {}
        for number, entry in enumerate(entries):
            label = file_entry(entry).label
            if label is not None and places.setdefault(label, number) != number:
                raise _taken(number)
        for number, index in zip(places.values(), self.log.find_many(list(places)), strict=True):
            if index is not None:
                raise _taken(number)


def _check_sound(entries: Sequence[bytes]) -> None:
    for number, entry in enumerate(entries):
        try:
            parse_entry(entry)
        except InvalidInput as error:
            raise error.under(f"entries[{number}]") from error


def _check_complete(state: LogState) -> None:
    if state.heads.ahead:
        size = state.heads.ahead[-1].head.size
        raise Unready(
            "INCOMPLETE_LOG", f"this log has reached {size} entries elsewhere; fetch those beyond {state.size} first"
        )


def _taken(number: int) -> Refused:
    return Refused("LABEL_TAKEN", "this label stands in the log already", f"entries[{number}]")
