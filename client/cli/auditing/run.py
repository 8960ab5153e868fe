"""plimsoll audit run: checks a whole consortium from outside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.cli.auditing.making import Files, Making
from client.cli.auditing.watching import exit_code, metrics_address, watch_on
from client.cli.connect import endpoint
from client.cli.failure import UsageError
from client.cli.options import settings_of
from client.cli.output import answer, write_over

if TYPE_CHECKING:
    from client.audit.transcripts import Saved


def run(
    context: typer.Context,
    transcript: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Verify this saved transcript, too; may be repeated.", show_default=False),
    ] = None,
    through: Annotated[
        str | None,
        typer.Option(metavar="MEMBER", help="With --home: read from this member's node.", show_default=False),
    ] = None,
    proofs: Annotated[bool, typer.Option("--proofs", help="Check the proof of every position, on all cores.")] = False,
    peers: Annotated[bool, typer.Option(help="Compare with the heads that the other members hold.")] = True,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What the last audit saw and found; read, then written.", show_default=False),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report for people there, too.", show_default=False)
    ] = None,
    report_json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report for programs there, too.", show_default=False)
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on auditing until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="With --watch: between two rounds.")] = 60,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT", help="With --watch: serve metrics for Prometheus there.", show_default=False
        ),
    ] = None,
) -> None:
    """Read every log through any member's node, and verify all of it.

    Entries, trees, signed heads, receipts, the manifest's signatures and the key ceremony are checked, and saved
    transcripts without any secret. Where something is wrong the member and the first bad entry are named.
    """
    from client.audit.keeping import Keeping
    from client.audit.view import view
    from client.audit.watch import Clock, Watch

    settings, files, keeping = settings_of(context), Files(html, report_json), Keeping(state, write_over)
    if metrics is not None and not watch:
        raise UsageError("--metrics is for --watch")
    address = None if metrics is None else metrics_address(metrics)
    last = keeping.last()  # whether it can be read is found out before anybody is asked
    reached = endpoint(settings, "auditor", through)
    making = Making(reached, peers, proofs, tuple(_saved(path) for path in transcript or ()))
    if watch:
        whose = reached.server_name.partition(".")[0]
        rounds = Watch(making, keeping, reached.caller.consortium, whose, Clock(time.time, time.monotonic))
        return watch_on(rounds, files, interval, address, as_json=settings.json)
    report, seen = making(last)
    now = int(time.time())
    docket = keeping.record(report.consortium, report.findings, now)
    keeping.remember(seen)
    facts = docket.extend(report.facts())
    files.write(facts, now)
    earlier, known = docket.earlier(report.findings), docket.acknowledged(report.findings)
    answer(facts, lambda: view(report, earlier, known), as_json=settings.json)
    if code := exit_code(facts["verdict"]):
        raise typer.Exit(code)
    return None


def _saved(path: Path) -> Saved:
    from client.audit.transcripts import Saved

    return Saved.of(str(path), path.read_bytes())
