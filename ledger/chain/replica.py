"""Growing a log by verified blocks: replicas of other members' logs, and one's own after the loss of a disk."""

from __future__ import annotations

from plimsoll.v1 import peer_pb2

from ledger.chain.block import verify_block
from ledger.chain.log import Log


class Replica:
    """Applies blocks to `log`."""

    def __init__(self, log: Log) -> None:
        self.log = log

    @property
    def size(self) -> int:
        """How many entries are held."""
        return self.log.size

    def apply(self, block: peer_pb2.Block) -> int:
        """How many entries are held then. The block has been verified whole, and what it adds is durable.

        Entries held already are skipped. Nothing is stored of a block that is refused, with what
        `block.verify_block` raises; Fork has both heads. Raises what the store raises where the write fails.
        """
        with self.log.lock:
            before = self.log.state_for_writing()
            new = verify_block(block, self.log.key, before)
            if not new.entries and new.heads == before.heads:
                return before.size
            self.log.commit(new.entries, new.tree, new.heads)
        self.log.announce(before.size)
        return new.tree.size
