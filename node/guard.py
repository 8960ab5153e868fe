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
        self._opened = asyncio.Event()
        if alone:
            log.warning("signing without asking the other members: --alone")
            self._opened.set()

    @property
    def is_open(self) -> bool:
        """Whether this node may sign."""
        return self._opened.is_set()

    def hear(self, member: str) -> None:
        """This member holds no more of this node's log than this node does."""
        self._heard.add(member)
        if len(self._heard) >= self._needed and not self.is_open:
            log.info("may sign", heard=sorted(self._heard))
            self._opened.set()

    async def opened(self) -> None:
        """Returns when this node may sign, however long that takes."""
        await self._opened.wait()

    async def passed(self) -> None:
        """Returns when this node may sign. Raises Unready (UNCONFIRMED_LOG) where too few members speak in time."""
        try:
            await asyncio.wait_for(self._opened.wait(), PATIENCE)
        except TimeoutError:
            heard = f"{len(self._heard)} of {self._needed}"
            message = f"other members must first say how far this log has got ({heard} have); `run --alone` overrides"
            raise Unready("UNCONFIRMED_LOG", message) from None
