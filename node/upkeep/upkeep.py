"""The commands that look after a home's stores, as they are typed; what they do is in node.upkeep.maintenance."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from node.answer import Answer
from node.homes.home import Home

Add = Callable[[str, Callable[[argparse.Namespace], Answer], str], argparse.ArgumentParser]
"""add(name, command, text): the parser of a new command."""


def add_to(
    add: Add, folder: Callable[[argparse.Namespace], Path], passphrase: Callable[[argparse.Namespace, Home], str]
) -> None:
    """Adds them. folder, passphrase: of the home that the options name."""

    def later(name: str) -> Callable[[argparse.Namespace], Answer]:
        def command(options: argparse.Namespace) -> Answer:
            # LevelDB takes a while to load, which the other commands need not wait for.
            from node.upkeep.maintenance import Maintenance

            answer: Answer = getattr(Maintenance(folder, passphrase), name)(options)
            return answer

        return command

    fsck = add("fsck", later("fsck"), "Check everything a home's stores hold. The node must not run.")
    fsck.add_argument("--repair", action="store_true", help="make again what follows from the logs")
    backup = add("backup", later("backup"), "Copy a home whose node does not run.")
    backup.add_argument("target", type=Path, metavar="DIR", help="a folder that is not there yet")
    restore = add("restore", later("restore"), "Make a home out of a backup.")
    restore.add_argument("source", type=Path, metavar="DIR", help="the backup")
    restore.add_argument("--check", action="store_true", help="only compare every byte of the backup; makes no home")
    rebuild = add("rebuild", later("rebuild"), "Make the book again out of this lender's own log.")
    rebuild.add_argument("--chain", action="store_true", help="instead set the logs aside, to be fetched again")
    rebuild.add_argument("--book", action="store_true", help="set the book aside first, and begin a new one")
