"""What an export did, as a table for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from client import render
from client.export.consortium import LogResult, Result
from client.text import one_line


def view(result: Result) -> RenderableType:
    """The logs, and under them what is wrong with some."""
    table = render.table(f"Logs in {result.folder}", "log", ">entries", ">new", ">witnessed", "")
    for log in result.logs:
        render.row(table, log.log.name, *_cells(log))
    bad = [
        Text(one_line(f"{each.log.name}: {each.error} It was left as it was."), "red")
        for each in result.logs
        if each.error is not None
    ]
    return Group(table, *bad)


def _cells(log: LogResult) -> tuple[str, str, str, str]:
    if log.exported is None:
        return "-", "-", "-", "not exported"
    done = log.exported
    if done.size is None:
        return "-", "-", "-", "nothing yet"
    new = done.size - (done.before or 0)
    note = f"the node lacks {done.ahead:,}" if done.ahead else ""
    return f"{done.size:,}", f"{new:,}", "-" if done.witnessed is None else f"{done.witnessed:,}", note
