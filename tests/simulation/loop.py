"""An event loop whose time is virtual: where nothing is ready, its clock jumps to the next timer.

No sockets, no threads. Whatever is handed to an executor runs in the loop itself, whole, after a delay: so work of
several threads interleaves as it does on a machine, piece by piece, and always the same way for one seed. Futures and
tasks hash by their number, as the order of a set of them must not depend on where they lie in memory.
"""

from __future__ import annotations

import asyncio
import itertools
from asyncio import base_events
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from tests.simulation.process import NODE, Process

_numbers = itertools.count()
#: Turns of the loop in which no time passes, before that is a bug.
MOST_TURNS = 50_000


class Stuck(Exception):
    """Nothing is ready and nothing will be: whoever waits would wait for ever."""


class Spins(Exception):
    """Something goes on and on and no time passes."""


class _Numbered:
    def __hash__(self) -> int:
        return self.number  # type: ignore[attr-defined, no-any-return]

    def __eq__(self, other: object) -> bool:
        return self is other


class _Future(_Numbered, asyncio.Future):
    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.number = next(_numbers)


class _Task(_Numbered, asyncio.Task):
    def __init__(self, coroutine: Any, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        self.number = next(_numbers)
        super().__init__(coroutine, loop=loop, **options)


class _Jump:
    """In place of a selector: waiting is moving the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._turns = 0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck
        self._turns = 0 if timeout > 0 else self._turns + 1
        if self._turns > MOST_TURNS:
            self._turns = 0
            raise Spins(", ".join(sorted({repr(task.get_coro()) for task in asyncio.all_tasks(self._loop)})[:20]))
        self._loop.now += max(0.0, timeout)
        return []

    def close(self) -> None:
        pass


class VirtualLoop(base_events.BaseEventLoop):
    """now: seconds since the loop was made. delay: seconds that a piece of executor work takes, by process."""

    def __init__(self, delay: Callable[[Process | None], float]) -> None:
        super().__init__()
        self.now = 0.0
        self._clock_resolution = 1e-9
        self._selector = _Jump(self)
        self._delay = delay
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        return self.now

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(loop=self)

    def run_in_executor(  # type: ignore[override]  # its stub is more exact than one needs
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Runs it here, a little later. A process that has crashed meanwhile does no more work."""
        process = NODE.get(None)
        done = self.create_future()

        def work() -> None:
            if done.cancelled():
                return
            if process is not None and not process.alive:
                done.set_exception(process.gone())
                return
            outcome, failure = None, None
            try:
                outcome = func(*args)
            except BaseException as error:  # noqa: BLE001 -- handed to whoever waits for it
                failure = _unstopped(error)
            if done.cancelled():  # the power was cut while it ran
                return
            if failure is None:
                done.set_result(outcome)
            else:
                done.set_exception(failure)

        self.call_later(self._delay(process), work, context=copy_context())
        return done

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    def _make_task(
        self, loop: Any, coroutine: Any, context: Context | None = None, **options: Any
    ) -> asyncio.Task[Any]:
        if context is not None:
            options["context"] = context
        process = NODE.get(None) if context is None else context.get(NODE)
        task = _Task(coroutine, loop=loop, **options)
        if process is not None:
            process.took(task)
        return task

    def _process_events(self, event_list: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""


def _unstopped(error: BaseException) -> BaseException:
    """A StopIteration cannot be raised into a future."""
    return RuntimeError("work raised StopIteration") if isinstance(error, StopIteration) else error


def run(loop: VirtualLoop, main: Any) -> Any:
    """main to its end, then whatever is left is cancelled."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        try:
            while left := asyncio.all_tasks(loop):  # what ends may begin something: to tell somebody, to wait for work
                for task in sorted(left, key=hash):
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
