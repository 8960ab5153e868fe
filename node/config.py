"""What the machine says: config.toml from disk, and the passphrase from file, environment or terminal."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ledger.errors import InvalidInput, NotFound
from ledger.homes import home
from ledger.homes.config import Config, parse_config
from ledger.homes.unlock import find_passphrase
from node.homes import files


def load_config(folder: Path) -> Config:
    """A home's config.toml. Raises NotFound where the folder is no home, InvalidInput, Unready."""
    try:
        raw = files.read(folder / home.CONFIG)
    except NotFound:
        raise NotFound("NO_HOME", f"{folder} is not a Plimsoll home: `init` makes one") from None
    return parse_config(raw)


def passphrase(option: str | None, folder: Path | None = None, configured: str | None = None) -> str:
    """The passphrase, in the order of `homes.unlock`; a file that config.toml names is relative to its `folder`."""
    found = None if configured is None or folder is None else str(folder / configured)
    return find_passphrase(option, os.environ, found, _read, _terminal(_ask_once))


def new_passphrase(option: str | None) -> str:
    """The passphrase for a home that is being made: a person types it twice."""
    return find_passphrase(option, os.environ, None, _read, _terminal(_ask_twice))


def _read(name: str) -> bytes:
    return files.read(Path(name), 4096)


def _terminal(ask: Callable[[], str]) -> Callable[[], str] | None:
    return ask if sys.stdin is not None and sys.stdin.isatty() else None


def _ask_once() -> str:
    return getpass.getpass("Passphrase: ")


def _ask_twice() -> str:
    first, second = getpass.getpass("New passphrase: "), getpass.getpass("Once more: ")
    if first != second:
        raise InvalidInput("BAD_PASSPHRASE", "the two passphrases differ")
    return first
