"""Work in a thread that is waited for to its end, also where the caller is cancelled: whoever holds a lock while a
thread works under it must not let go before the thread does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def to_its_end(work: Callable[..., T], *arguments: object) -> T:
    """work(*arguments) in a thread. Raises what it raises; CancelledError only after it has ended."""
    return await ended(asyncio.ensure_future(asyncio.to_thread(work, *arguments)))


async def ended(job: asyncio.Future[T]) -> T:
    """What comes of a job that is under way in a thread; raises likewise."""
    try:
        return await asyncio.shield(job)
    finally:
        while not job.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([job])
        if not job.cancelled():
            job.exception()  # looked at, so that nobody logs that it was not
