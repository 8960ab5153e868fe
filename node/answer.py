"""What a command has to say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


@dataclass(frozen=True, slots=True)
class Answer:
    """For programs (--json) and for people. exit_code: 0 unless what was found is bad news."""

    facts: dict[str, object]
    lines: list[str] = field(default_factory=list)
    exit_code: int = 0


class Bar:
    """One line of progress, whose phases follow each other."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("")

    def show(self, phase: str, done: int, total: int = 0) -> None:
        """total: 0 where not known."""
        self._progress.update(self._task, description=phase, completed=done, total=total or None)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """On standard error, while the block runs; none where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress)
