"""Work that is done one piece at a time, in threads, for callers who take turns.

A caller waits behind its own pieces before it waits behind others', so that many of one member's delay another's by
one; and nobody waits in a thread, of which there are few.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from node.upkeep.ending import ended

T = TypeVar("T")


class Turns:
    """One kind of work."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._callers: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        #: Whoever holds it keeps everybody from working.
        self.alone = asyncio.Lock()

    async def take(self, caller: str, work: Callable[[], T]) -> T:
        """work() in a thread, when it is the caller's turn."""
        async with self._callers[caller], self.alone:
            # Where the caller goes away meanwhile, the next one still waits for the end of it.
            return await ended(asyncio.get_running_loop().run_in_executor(self._executor, work))
