"""A node's process, as far as it can be killed: its tasks, and whether it lives."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

from ledger.errors import PlimsollError, Unready

#: The process whose code runs now; none is the world itself.
NODE: ContextVar[Process] = ContextVar("process")


class Process:
    """Whatever runs in its context, and what that starts, ends with it."""

    def __init__(self, member: str, reach: frozenset[str] | None = None) -> None:
        """reach: the members it can call; None: all."""
        self.member = member
        self.reach = reach
        self.alive = True
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._context = copy_context()
        self._context.run(NODE.set, self)

    @property
    def context(self) -> Context:
        """To run something in it."""
        return self._context.copy()

    def start(self, work: Coroutine[Any, Any, Any], name: str | None = None) -> asyncio.Task[Any]:
        """work as a task of this process."""
        return asyncio.get_running_loop().create_task(work, name=name, context=self.context)

    def took(self, task: asyncio.Task[Any]) -> None:
        """A task of this process has begun."""
        self._tasks[task] = None
        task.add_done_callback(lambda _: self._tasks.pop(task, None))

    def gone(self) -> PlimsollError:
        """What work gets that was under way."""
        return Unready("CRASHED", f"the node of {self.member} has crashed")

    def kill(self) -> None:
        """Nothing of it goes on. What its tasks do while they end reaches no disk and no network."""
        self.alive = False
        for task in list(self._tasks):
            task.cancel()
