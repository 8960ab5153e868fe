"""Many questions in one stream: read ahead, prepared together, answered side by side."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

#: Questions of one stream that are under way at once.
AT_ONCE = 16
#: Questions read ahead of those, and bytes of them; more wait in the caller's connection.
AHEAD, AHEAD_BYTES = 512, 4 << 20


class Sized(Protocol):
    """A message."""

    def ByteSize(self) -> int:  # noqa: N802 -- protobuf's name
        """Of its serialization."""


Q = TypeVar("Q", bound=Sized)
A = TypeVar("A")


async def side_by_side(
    requests: AsyncIterator[Q],
    answer: Callable[[Q], Awaitable[A]],
    prepare: Callable[[Sequence[Q]], Awaitable[None]],
) -> AsyncGenerator[A, None]:
    """The answers as they are ready. A caller may as well send one question, and the next when it has the answer.

    prepare: does for some questions, before they are answered, what is cheaper for many at once. Neither may fail.
    """
    stream = _Stream(requests, answer, prepare)
    try:
        while stream.busy:
            for answered in await stream.step():
                yield answered
    finally:
        stream.cancel()


class _Stream(Generic[Q, A]):
    """Questions go from `_read` through `_fresh` and `_prepared` to `_running`."""

    def __init__(
        self,
        requests: AsyncIterator[Q],
        answer: Callable[[Q], Awaitable[A]],
        prepare: Callable[[Sequence[Q]], Awaitable[None]],
    ) -> None:
        self._requests = requests
        self._answer = answer
        self._prepare = prepare
        self._fresh: list[Q] = []
        self._prepared: deque[Q] = deque()
        self._running: set[asyncio.Task[A]] = set()
        self._bytes = 0  # of what is fresh, being prepared or prepared
        self._preparing: asyncio.Task[list[Q]] | None = None
        self._ended = False
        self._reading: asyncio.Task[Q | None] | None = self._next()

    @property
    def busy(self) -> bool:
        """Whether there is anything left to wait for."""
        return self._reading is not None or self._preparing is not None or bool(self._running)

    async def step(self) -> list[A]:
        """Waits for something to happen; what was answered by then."""
        waited: list[asyncio.Task[Any] | None] = [self._reading, self._preparing, *self._running]
        await asyncio.wait([task for task in waited if task is not None], return_when=asyncio.FIRST_COMPLETED)
        self._take_prepared()
        self._take_read()
        answered = [task for task in self._running if task.done()]
        self._running.difference_update(answered)
        self._go_on()
        return [task.result() for task in answered]

    def cancel(self) -> None:
        """Ends what is under way."""
        for task in (self._reading, self._preparing, *self._running):
            if task is not None:
                task.cancel()

    def _take_read(self) -> None:
        if self._reading is not None and self._reading.done():
            request, self._reading = self._reading.result(), None
            if request is None:
                self._ended = True
            else:
                self._fresh.append(request)
                self._bytes += request.ByteSize()

    def _take_prepared(self) -> None:
        if self._preparing is not None and self._preparing.done():
            self._prepared.extend(self._preparing.result())
            self._preparing = None

    def _go_on(self) -> None:
        while self._prepared and len(self._running) < AT_ONCE:
            request = self._prepared.popleft()
            self._bytes -= request.ByteSize()
            self._running.add(asyncio.ensure_future(self._answer(request)))
        # Not before what is prepared runs short, so that the next ones are many; meanwhile those are answered.
        if self._fresh and self._preparing is None and len(self._prepared) < 2 * AT_ONCE:
            self._preparing = asyncio.create_task(self._prepare_all(self._fresh))
            self._fresh = []
        room = len(self._fresh) + len(self._prepared) < AHEAD and self._bytes < AHEAD_BYTES
        if self._reading is None and not self._ended and room:
            self._reading = self._next()

    async def _prepare_all(self, requests: list[Q]) -> list[Q]:
        await self._prepare(requests)
        return requests

    def _next(self) -> asyncio.Task[Q | None]:
        """The next request, None at the stream's end: something to wait for among others."""

        async def read() -> Q | None:
            return await anext(self._requests, None)

        return asyncio.create_task(read())
