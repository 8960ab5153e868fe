"""The tail of this node's own log that goes along with a question, so that a custodian need not ask back for it."""

from __future__ import annotations

from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.chain.chain import Log

#: A longer tail is left to gossip: the custodian fetches what it lacks.
MAX_TAIL = 64


def tail(log: Log, index: int) -> peer_pb2.Block | None:
    """Entries from `index` to the newest head as one block; None where that is long."""
    if log.size - index > MAX_TAIL:
        return None
    return next(iter(blocks_from(log, index)), None)
