"""plimsoll report: hands a loan feed to the lender's own node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer, progress
from ledger.errors import InvalidInput, Unready

if TYPE_CHECKING:
    from plimsoll.v1 import lender_pb2


def report(
    context: typer.Context,
    feed: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The feed; its columns are told in docs/cli.md.")],
    strict: Annotated[bool, typer.Option("--strict", help="One bad row, and nothing of the feed is taken.")] = False,
) -> None:
    """Report loans: new ones, changes and closures.

    A row replaces what was reported of its loan before. Rows that cannot be taken are listed; the others go on.
    """
    from client import plain, render
    from client.feeding import Feeding

    settings = settings_of(context)
    with feed.open("rb") as file:
        feeding = Feeding(file, strict=strict)
        if feeding.may_be_sent():
            with connect(settings, "lender") as session:
                for _ in followed(feeding.send(session)):
                    pass  # what it says is in the summary
    summary = feeding.summary
    answer(plain.plain(summary), lambda: render.summary(summary), as_json=settings.json)
    if summary.HasField("held"):
        raise typer.Exit(Unready.exit_code)
    if summary.rejected and (strict or not summary.accepted):
        raise typer.Exit(InvalidInput.exit_code)


def followed(responses: Iterable[lender_pb2.ReportResponse]) -> Iterator[lender_pb2.ReportResponse]:
    """The same, while a bar shows how far the node has got with a feed."""
    with progress() as bar:
        task = bar.add_task("reading", total=None)
        for response in responses:
            bar.update(task, description=response.phase, completed=response.done, total=response.total or None)
            yield response
