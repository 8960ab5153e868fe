"""plimsoll disclose: one of this lender's own positions, opened for an auditor or a court."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from client.cli.connect import connect
from client.cli.failure import UsageError
from client.cli.options import settings_of
from client.cli.output import answer, private_file
from client.cli.question import BORROWER, identity


def disclose(
    context: typer.Context,
    borrower: Annotated[str, BORROWER],
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="Where it goes, with mode 0600.")],
    index: Annotated[
        str | None, typer.Option(metavar="N", help="The position at this index of its log.", show_default=False)
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(metavar="ORIGIN", help="With --index: a log this lender wrote before.", show_default=False),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The newest position that speaks of this day or before.", show_default=False),
    ] = None,
    label_key: Annotated[
        bool,
        typer.Option(
            "--label-key", help="Show whose it is, too: the holder can follow this borrower at all members, for good."
        ),
    ] = False,
) -> None:
    """Open one published position to an auditor or a court: the newest one of this borrower, or the one named.

    The file holds the loan records and is a secret. It names no borrower.
    """
    settings = settings_of(context)
    if (index is not None and as_of is not None) or (log is not None and index is None):
        raise UsageError("a position is named by --index, in --log, or by --as-of")

    from plimsoll.v1 import lender_pb2

    from client import openings, render
    from ledger.disclosure import verify
    from ledger.errors import Unverified

    request = lender_pb2.DiscloseRequest(
        borrower=identity(borrower),
        index=None if index is None else openings.index_of(index),
        origin=log or "",
        as_of=None if as_of is None else openings.day_of(as_of),
        label_key=label_key,
    )
    with private_file(output) as save, connect(settings, "lender") as session:
        response = session.disclose(request)
        shown = verify(response.opening, session.lineage().history)
        if (shown.origin, shown.index) != (response.origin, response.index):
            raise Unverified("OTHER_POSITION", "the node has opened another position than it says")
        save(response.opening)
    told = openings.facts(shown)
    kept = ("member", "origin", "index", "leaf", "as_of", "closed", "label_number")
    facts: dict[str, Any] = {"file": str(output), **{name: told[name] for name in kept}, "loans": len(told["loans"])}

    def view() -> Any:
        warning = "a secret: it holds the loan records"
        if label_key:
            warning += ", and who holds it can follow this borrower at all members, for good"
        lines = [("file", f"{output} ({warning})"), ("entry", f"{shown.index} of {shown.origin}")]
        lines += [("as of", told["as_of"]), ("loans", str(len(told["loans"])))]
        return render.pairs([*lines, *(("it does not show", each) for each in told["does_not_show"])])

    answer(facts, view, as_json=settings.json)
