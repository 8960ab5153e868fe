"""How the demo shows where it is: a line for each step that is done, a bar for the one under way. All on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

Advance = Callable[[int, int], None]
"""(how much is done, how much there is)"""


class Steps:
    """Counts the seconds of every step. quiet: shows nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, text: str) -> Iterator[Advance]:
        """One step, under way while the block runs; it is told how far it is."""
        started = time.monotonic()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        live = self._console.is_terminal and not self._console.quiet
        with Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True, disable=not live) as bar:
            task = bar.add_task(text, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        self.seconds[name] = round(time.monotonic() - started, 3)
        self._console.print(Text.assemble(("done ", "green"), f"{text} ", (f"({self.seconds[name]:.1f} s)", "dim")))
