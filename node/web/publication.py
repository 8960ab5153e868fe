"""Which head of a log is shown to auditors as its checkpoint (protocol section 23)."""

from __future__ import annotations

from ledger.chain.log import Log
from ledger.tlog.checkpoint import SignedHead
from ledger.witnessing.witnessed import Kept

#: Seconds: a larger head takes the place of the witnessed one once that was witnessed so long ago. Collecting
#: cosignatures fails open for writing.
PATIENCE = 60.0


def checkpoint(log: Log, kept: Kept | None, now: float) -> SignedHead | None:
    """The largest witnessed head; where there is none, or it is old and the log has grown, the newest head held.

    kept: the largest head known to be witnessed. now: Unix seconds. None for a log without a head.
    """
    newest = log.head
    if newest is None or kept is None or not is_of(log, kept):
        return newest
    if kept.size < newest.head.size and now - kept.time > PATIENCE:
        return newest
    return kept.signed


def is_of(log: Log, kept: Kept) -> bool:
    """Whether the tree of a witnessed head is a part of what is held: not where too little is, or another branch."""
    return kept.size <= log.covered and log.root_at(kept.size) == kept.signed.head.root
