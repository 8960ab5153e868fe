"""Work that is done one piece at a time, in threads, for callers who take turns.

A caller waits behind its own pieces before it waits behind others', so that many of one member's delay another's by
one; and nobody waits in a thread, of which there are few.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

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
            return await self._to_its_end(work)

    async def _to_its_end(self, work: Callable[[], T]) -> T:
        """Where the caller goes away meanwhile, the next one still waits for the end of it."""
        job = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            return await asyncio.shield(job)
        finally:
            while not job.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([job])
            if not job.cancelled():
                job.exception()  # looked at, so that nobody logs that it was not
