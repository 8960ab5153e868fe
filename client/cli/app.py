"""The command's root: which commands there are, and what every run has in common.

Modules that take time to import (gRPC, cryptography, tables) are imported by the commands that need them, so that
`plimsoll --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
import typer.core

from client.cli import (
    assess,
    auditing,
    backup,
    delegate,
    demo,
    disclose,
    exposure,
    failure,
    held,
    lineage,
    proposals,
    propose,
    receipt,
    replay,
    report,
    screen,
    simulate,
    status,
    watching,
)
from client.cli.options import ConnectedCommand, JsonCommand, SharedGroup

app = typer.Typer(
    name="plimsoll",
    cls=SharedGroup,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("plimsoll"))
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Private debt exposure across lenders.

    Every lender sees how heavily a borrower is loaded across all lenders; none sees another's book.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(failure.USAGE)


delegate.add_to(app)
for _name, _function in (
    ("backup", backup.backup),
    ("status", status.status),
    ("propose", propose.propose),
    ("proposals", proposals.proposals),
    ("approve", proposals.approve),
    ("lineage", lineage.lineage),
    ("report", report.report),
    ("exposure", exposure.exposure),
    ("assess", assess.assess),
    ("screen", screen.screen),
    ("disclose", disclose.disclose),
    ("receipt", receipt.receipt),
):
    app.command(_name, cls=ConnectedCommand)(_function)
app.add_typer(auditing.app)
app.add_typer(held.app)
app.add_typer(watching.app)
app.command("replay", cls=JsonCommand)(replay.replay)
app.command("simulate", cls=JsonCommand)(simulate.simulate)
app.command("demo", cls=JsonCommand)(demo.demo)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code. What goes wrong is one line (or JSON object) on stderr, never a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = typer.main.get_command(app).main(given, prog_name="plimsoll", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except BrokenPipeError:  # the reader has seen enough; nothing may be flushed there at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return failure.BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 -- the boundary to people
        return failure.show(error, as_json="--json" in given)
