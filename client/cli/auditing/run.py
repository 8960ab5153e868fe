"""plimsoll audit run: checks a whole consortium from outside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.cli.auditing.making import Files, Making
from client.cli.auditing.sources import THROUGH, TILES, source_of
from client.cli.auditing.watching import exit_code, metrics_address, watch_on
from client.cli.failure import UsageError
from client.cli.options import settings_of
from client.cli.output import answer, write_over
from ledger.errors import InvalidInput

if TYPE_CHECKING:
    from client.audit.transcripts import Saved
    from ledger.tlog.tlog_policy import Policy


def run(
    context: typer.Context,
    transcript: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Verify this saved transcript, too; may be repeated.", show_default=False),
    ] = None,
    through: Annotated[str | None, THROUGH] = None,
    tiles: Annotated[Path | None, TILES] = None,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Whose cosignatures count (C2SP tlog-policy).", show_default=False),
    ] = None,
    proofs: Annotated[bool, typer.Option(help="Check the proof of every position that is new, on all cores.")] = True,
    peers: Annotated[bool, typer.Option(help="Compare with the heads that the other members hold.")] = True,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What the last audit saw and found; read, then written.", show_default=False),
    ] = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="With --state: read every log from its first entry all the same.")
    ] = False,
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
    """Read every log through any member's node, or out of a folder of tiles, and verify all of it.

    Entries, trees, signed heads, receipts, the manifest's signatures and the key ceremony are checked, and saved
    transcripts without any secret. Where something is wrong the member and the first bad entry are named.
    """
    from client.audit.keeping.keeping import Keeping
    from client.audit.view import view
    from client.audit.watching.watch import Clock, Watch

    settings, files, keeping = settings_of(context), Files(html, report_json), Keeping(state, write_over)
    if metrics is not None and not watch:
        raise UsageError("--metrics is for --watch")
    address = None if metrics is None else metrics_address(metrics)
    last = keeping.last()  # whether it can be read is found out before anybody is asked
    saved, rule = tuple(_saved(path) for path in transcript or ()), None if policy is None else _policy(policy)
    making = Making(source_of(settings, through, tiles), peers, proofs, saved, rule, from_scratch)
    if watch:
        rounds = Watch(making, keeping, *making.consortium(), Clock(time.time, time.monotonic))
        return watch_on(rounds, files, interval, address, as_json=settings.json)
    report, seen = making(last)
    now = int(time.time())
    docket = keeping.record(report.consortium, report.findings, now, whole=report.is_whole)
    keeping.remember(seen)
    facts = docket.extend(report.facts())
    files.write(facts, now)
    earlier, known = docket.earlier(report.findings), docket.acknowledged(report.findings)
    answer(facts, lambda: view(report, earlier, known), as_json=settings.json)
    if code := exit_code(facts["verdict"]):
        raise typer.Exit(code)
    return None


def _policy(path: Path) -> Policy:
    from ledger.tlog.tlog_policy import parse_policy

    try:
        return parse_policy(path.read_bytes())
    except InvalidInput as error:
        raise error.under(str(path)) from error


def _saved(path: Path) -> Saved:
    from client.audit.transcripts import Saved

    return Saved.of(str(path), path.read_bytes())
