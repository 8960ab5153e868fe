"""An author proves one of its own records well-formed, out of the entry and its backup key alone (protocol, 19)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger import wellformed
from ledger.crypto.group import Point
from ledger.positions.bands import Bands
from ledger.positions.position_entry import PositionEntry
from ledger.positions.sealed_copy import open_copy
from ledger.wellformed import Statement


def prove_record(
    consortium: bytes,
    public_keys: Sequence[Point],
    member: str,
    entry: bytes,
    bands: Bands,
    backup_key: bytes,
    rng: Callable[[int], bytes],
) -> bytes:
    """The proof for a Position entry of `member`: nonce and amounts are in the copy that it sealed for itself.

    public_keys: X_f by field number. backup_key: 32 bytes. About 60 ms. Raises InvalidInput for an entry that is no
    open position or is not well-formed, Unverified where the copy is not sealed under this key.
    """
    statement = Statement.of_entry(consortium, public_keys, member, entry, bands)
    position = PositionEntry.parse(entry)
    copy = open_copy(position.sealed, backup_key, consortium, member, position.label)
    return wellformed.prove(statement, copy.nonce, copy.amounts, rng)
