"""Commands that touch a home's secrets: they are the node's, and replace this process (`python -m node <command>`).

The client holds no key but its own certificates', so it cannot do these things itself; nor does it parse their options.
"""

from __future__ import annotations

import os
import sys
from types import MappingProxyType
from typing import NoReturn

import typer

from client.cli.options import settings_of

COMMANDS = MappingProxyType(
    {
        "init": "Make a home with fresh keys.",
        "card": "Give out this lender's public card.",
        "found": "Write a manifest over the lenders' cards, or merge signed copies of one.",
        "sign": "Show a manifest, check one's own card in it, and sign it.",
        "adopt": "Put a manifest in force that everybody has signed.",
        "run": "Run this lender's node until SIGTERM or Ctrl-C.",
        "join": "Put the last manifest of a lineage in force: when taken in, or after being away.",
        "rekey": "Make new keys, or name a new address, and make the card to be proposed.",
        "credential": "Issue a certificate for a program elsewhere.",
        "fsck": "Check everything a home's stores hold. The node must not run.",
        "restore": "Make a home out of a backup.",
        "rebuild": "Make the book again out of this lender's own log.",
    }
)


def node_command(*arguments: str) -> list[str]:
    """The argument list of a process of the node. -P: a folder `node` in the working directory is none of ours."""
    return [sys.executable, "-P", "-m", "node", *arguments]


def add_to(app: typer.Typer) -> None:
    """Adds the commands. Their help, too, is the node's."""
    for name, text in COMMANDS.items():
        app.command(
            name,
            help=text,
            add_help_option=False,
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        )(_hand_over)


def _hand_over(context: typer.Context) -> None:
    hand_over(context, str(context.info_name), *context.args)


def hand_over(context: typer.Context, *arguments: str) -> NoReturn:
    """Becomes the node's command with these arguments and the shared options."""
    settings = settings_of(context)
    shared = [] if settings.home is None else ["--home", str(settings.home)]
    if settings.passphrase_file is not None:
        shared += ["--passphrase-file", str(settings.passphrase_file)]
    if settings.json:
        shared.append("--json")
    command = node_command(*shared, *arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)  # noqa: S606 -- no shell is meant
