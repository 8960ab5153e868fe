"""plimsoll audit keys: whose signatures other tools have to look for."""

from __future__ import annotations

from typing import Annotated

import typer

from client.cli.auditing.manifests import LineageOption, ThroughOption, manifests
from client.cli.options import settings_of
from client.cli.output import line


def keys(
    context: typer.Context,
    witnesses: Annotated[
        bool, typer.Option("--witnesses", help="The keys that members cosign heads with, instead.")
    ] = False,
    lineage: LineageOption = None,
    through: ThroughOption = None,
) -> None:
    """Print the name and the verifier key (C2SP signed-note) of every log, one a line.

    Logs that have ended are among them. With --witnesses, the names and keys of those who cosign: all members.
    """
    from ledger.consortium.trust import cosigner_keys, log_keys

    settings = settings_of(context)
    history = manifests(settings, lineage, through).history
    logs, cosigners = log_keys(history), cosigner_keys(history)
    if settings.json:
        ended = {log.name for log in history.current.ended}
        line(
            {
                "consortium": history.consortium.hex(),
                "logs": [
                    {"log": name, "origin": key.name, "key": str(key), "ended": name in ended}
                    for name, key in logs.items()
                ],
                "witnesses": [{"member": name, "key": str(key)} for name, key in cosigners.items()],
            }
        )
        return
    for name, key in (cosigners if witnesses else logs).items():
        typer.echo(f"{name} {key}")
