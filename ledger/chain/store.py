"""The storage seam: an ordered map of byte strings. Everything this package keeps goes through it (design section 10).

Kept narrow, so that LevelDB, PostgreSQL or a dictionary can stand behind it: batches and multi-gets, never one record a
call, and compare-and-set for the keys that say how far something has got.

The contract, which every implementation is tested against:

- When `write(sync=True)` returns, all its puts are durable: they survive the loss of power. With sync=False they
  survive the end of the process, and become durable no later than the next synced write.
- A write is atomic: after a crash, and for every reader, either all of its puts are there or none. Writes of one thread
  take effect in order.
- `expect` names one key and the value it must have (None: be absent). It is compared in one step with the write against
  all other writes that name the same key; where it differs nothing is written and StoreConflict is raised. A key that
  is ever named by `expect` is only written under it.
- A write that raises anything else may or may not have happened. Whoever wrote must read back before it goes on; an
  implementation that cannot tell itself refuses further writes until it is opened again.
- Readers see every write that has returned. A scan sees one state of the map, not before the call; a multi-get may see
  a write that happens meanwhile in some of its keys only.
- Reading and writing from several threads at once is allowed. After `close`, every call raises Unready.
- Errors: StoreConflict; Unready (disk full, failed, closed); Unverified where stored bytes have rotted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from ledger.errors import Unready

Pair = tuple[bytes, bytes]
Put = tuple[bytes, bytes | None]


class StoreConflict(Unready):
    """The expectation of a write did not hold; nothing was written."""

    def __init__(
        self,
        reason: str = "STORE_CONFLICT",
        message: str = "somebody else has written in the meantime; nothing was written",
        path: str = "",
    ) -> None:
        super().__init__(reason, message, path)


class Store(Protocol):
    """An ordered, durable map of bytes; keys are not empty and sort as unsigned bytes. Above is the contract."""

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values in the order of the keys."""

    def first_many(self, prefixes: Sequence[bytes]) -> list[Pair | None]:
        """For each prefix the pair with the smallest key that starts with it, or None."""

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None) -> Iterator[Pair]:
        """Pairs with start <= key < stop in order, or in falling order, at most `limit`."""

    def write(self, puts: Iterable[Put], *, sync: bool = True, expect: Put | None = None) -> None:
        """Puts each value, or deletes where it is None; of one key named twice the last counts."""

    def close(self) -> None:
        """Lets go of everything; may be called twice."""


def prefix_end(prefix: bytes) -> bytes:
    """The smallest key above all that start with `prefix`, for `scan`. The prefix must not be all FF."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1])
