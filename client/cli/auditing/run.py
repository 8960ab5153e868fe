"""plimsoll audit run: checks a whole consortium from outside."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer, progress, write_over
from ledger.errors import Unverified

if TYPE_CHECKING:
    from client.audit.memory import Memory
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
        typer.Option(metavar="FILE", help="What the last audit saw; read, then written.", show_default=False),
    ] = None,
) -> None:
    """Read every log through any member's node, and verify all of it.

    Entries, trees, signed heads, receipts, the manifest's signatures and the key ceremony are checked, and saved
    transcripts without any secret. Where something is wrong the member and the first bad entry are named.
    """
    from client.audit.auditor import Auditor, Scope
    from client.audit.view import view

    settings = settings_of(context)
    scope = Scope(
        draw=secrets.randbelow,
        peers=peers,
        proofs=proofs,
        last=_last(state),
        transcripts=[_saved(path) for path in transcript or ()],
    )
    with connect(settings, "auditor", through) as session, progress() as bar:
        task = bar.add_task("asking", total=None)
        auditor = Auditor(
            session, scope, lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
        )
        report = auditor.run()
    if state is not None:
        write_over(state, auditor.remember(report).encode())
    answer(report.facts(), lambda: view(report), as_json=settings.json)
    if report.findings:
        raise typer.Exit(Unverified.exit_code)


def _last(state: Path | None) -> Memory | None:
    from client.audit.memory import parse

    return parse(state.read_bytes()) if state is not None and state.exists() else None


def _saved(path: Path) -> Saved:
    from client.audit.transcripts import Saved

    return Saved.of(str(path), path.read_bytes())
