"""Which logs are frozen (design section 4, protocol section 18): their authors have signed two histories.

A log is frozen once evidence is there, for ever, whatever becomes of its entries here: it takes no more entries beyond
its last witnessed head, and its member comes back under another origin. Kept by origin in the chain's store, with the
evidence; read from memory, as every query asks.
"""

from __future__ import annotations

from ledger.chain.log_keys import CONFLICT, FROZEN
from ledger.chain.store import Store, StoreConflict, prefix_end
from ledger.errors import Unverified

_LENGTH = 4


class Frozen:
    """Any thread may use it."""

    def __init__(self, store: Store) -> None:
        """Reads what is there. Raises what the store raises, Unverified where it has rotted."""
        self._store = store
        self._evidence = {_origin(key): raw for key, raw in store.scan(FROZEN, prefix_end(FROZEN))}
        self._conflicts = {_origin(key): _pair(raw) for key, raw in store.scan(CONFLICT, prefix_end(CONFLICT))}

    def __contains__(self, origin: str) -> bool:
        return origin in self._evidence

    @property
    def origins(self) -> tuple[str, ...]:
        """All that are frozen."""
        return tuple(self._evidence)

    def evidence(self, origin: str) -> bytes | None:
        """The serialized Evidence that froze this log; None where it is not frozen."""
        return self._evidence.get(origin)

    def freeze(self, origin: str, evidence: bytes) -> bool:
        """Durable when it returns; whether it was not frozen before. That the evidence holds is the caller's to check.

        Raises what the store raises.
        """
        if origin in self._evidence:
            return False
        self._put(FROZEN + origin.encode(), evidence)
        return self._evidence.setdefault(origin, evidence) is evidence

    def conflict(self, origin: str) -> tuple[bytes, bytes] | None:
        """The notes of two witnessed heads of this log of which neither extends the other, the first known first."""
        return self._conflicts.get(origin)

    def keep_conflict(self, origin: str, known: bytes, other: bytes) -> bool:
        """Durable when it returns; whether none was known before. That they conflict is the caller's to check."""
        if origin in self._conflicts:
            return False
        self._put(CONFLICT + origin.encode(), len(known).to_bytes(_LENGTH, "big") + known + other)
        pair = (known, other)
        return self._conflicts.setdefault(origin, pair) is pair

    def _put(self, key: bytes, value: bytes) -> None:
        try:
            self._store.write([(key, value)], expect=(key, None))
        except StoreConflict:  # somebody else was quicker: one is as good as the other
            if self._store.get(key) is None:
                raise


def _origin(key: bytes) -> str:
    return key[1:].decode()


def _pair(raw: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(raw[:_LENGTH], "big")
    known, other = raw[_LENGTH : _LENGTH + size], raw[_LENGTH + size :]
    if len(known) != size or not known or not other:
        raise Unverified("BAD_CONFLICT", "the record of two witnessed heads is damaged", "conflict")
    return known, other
