"""Where output goes: answers to stdout, progress to stderr, secrets to files of mode 0600."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress


def answer(facts: Any, view: Callable[[], RenderableType], *, as_json: bool) -> None:
    """Prints one answer: the facts as one line of JSON, or the view for people."""
    if as_json:
        line(facts)
        return
    from rich.console import Console

    Console(highlight=False).print(view())


def line(facts: Any) -> None:
    """Prints one line of JSON, at once."""
    sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    sys.stdout.flush()


@contextmanager
def progress(*, rate: bool = False) -> Iterator[Progress]:
    """A progress bar on stderr while the block runs; none where stderr is no terminal. rate: with the task's field
    "rate", a text, and how long the rest will take."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, highlight=False)
    columns: list[ProgressColumn] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    columns += [TextColumn("{task.fields[rate]}"), TimeRemainingColumn()] if rate else [TimeElapsedColumn()]
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


def write_over(path: Path, content: bytes) -> None:
    """Puts content at `path` durably: all of it or nothing."""
    with private_file(path) as put:
        put(content)


@contextmanager
def private_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """A function that puts content, durably and with mode 0600, at `path`: all of it or nothing.

    That the place can be written is found out on entry, before anything is spent on the content.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    with os.fdopen(descriptor, "wb") as file:

        def put(content: bytes) -> None:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(name).replace(path)

        try:
            yield put
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
