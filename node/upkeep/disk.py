"""Whether there is room for what this node has to write. Where there is not it goes on reading, says so, and writes
again by itself as soon as there is (design section 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from ledger.errors import Unready
from node.upkeep.leveldb import LevelStore

log = structlog.get_logger()

#: Seconds between two looks.
INTERVAL = 1.0
#: Seconds after which a write that is not done is no longer a slow one. A node at rest writes every few seconds.
PATIENCE = 10.0


class Disk:
    """The stores' disk. Looking also opens a store again that a full disk had stopped."""

    def __init__(self, stores: Sequence[LevelStore], reserve_bytes: int) -> None:
        #: What is looked at.
        self.stores = stores
        #: Bytes that must stay free.
        self.reserve_bytes = reserve_bytes
        #: By reason, why nothing can be written; empty where all is well.
        self.problems: dict[str, str] = {}

    @property
    def is_full(self) -> bool:
        """Whether writes are refused for want of room."""
        return "DISK_FULL" in self.problems

    @property
    def alerts(self) -> list[str]:
        """What a person should look at."""
        return list(self.problems.values())

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(INTERVAL)

    def look(self) -> None:
        """Asks every store whether it takes writes; what has changed goes into the node's log."""
        problems: dict[str, str] = {}
        for store in self.stores:
            try:
                store.check_writable()
            except Unready as error:
                problems.setdefault(error.reason, error.message)
            if store.waiting > PATIENCE:
                problems.setdefault(
                    "DISK_STALLED", "the disk stalls: what is to be written waits, and so do its senders"
                )
        for reason in problems.keys() - self.problems.keys():
            log.error("nothing can be written, reading goes on", reason=reason, why=problems[reason])
        if self.problems and not problems:
            log.info("writing again")
        self.problems = problems
