"""The self-fork guard (design section 4): a node that starts signs nothing before its peers have told it how far its
own log has got. A restored backup or a copied disk would otherwise write a second history under the one key.
"""

from __future__ import annotations

import asyncio

import structlog

from ledger.errors import Unready

log = structlog.get_logger()

#: Seconds that an append waits for peers to speak before it is refused.
PATIENCE = 10.0


class SelfForkGuard:
    """Open once more than half of `others` (all members but this one) have spoken and this log holds what they told."""

    def __init__(self, others: int, alone: bool = False) -> None:
        """alone: the operator takes it upon himself that no other copy of this node has signed anything."""
        self._needed = others // 2 + 1
        self._heard: set[str] = set()
        self._bound = 0
        self._alone = alone
        self._opened = asyncio.Event()
        if alone:
            log.warning("signing without asking the other members: --alone")
            self._opened.set()

    @property
    def is_open(self) -> bool:
        """Whether this node may sign."""
        return self._opened.is_set()

    def bind(self, size: int) -> None:
        """Somebody has shown a head of this size under this log's key: nothing is signed before all of it is here,
        whoever has spoken and whatever --alone says. Also when this node has signed already: it has a twin."""
        if size > self._bound:
            self._bound = size
            self._opened.clear()
            log.warning("this log has reached more entries elsewhere; signing nothing before they are here", size=size)

    def hear(self, member: str, size: int = 0) -> None:
        """This member holds no more of this node's log than the `size` entries that this node does."""
        self._heard.add(member)
        if self._bound > size:
            return
        self._bound = 0
        if (self._alone or len(self._heard) >= self._needed) and not self.is_open:
            log.info("may sign", heard=sorted(self._heard))
            self._opened.set()

    async def opened(self) -> None:
        """Returns when this node may sign, however long that takes."""
        await self._opened.wait()

    async def passed(self) -> None:
        """Returns when this node may sign. Raises Unready (UNCONFIRMED_LOG) where too few members speak in time."""
        try:
            # Not wait_for, which in Python 3.11 loses a cancellation that comes as the event is set.
            async with asyncio.timeout(PATIENCE):
                await self._opened.wait()
        except TimeoutError:
            heard = f"{len(self._heard)} of {self._needed}"
            message = f"other members must first say how far this log has got ({heard} have); `run --alone` overrides"
            raise Unready("UNCONFIRMED_LOG", message) from None
