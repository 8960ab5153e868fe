"""Founds a consortium on this machine just as lenders on hosts of their own do (docs/founding.md)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from client.demo import processes
from client.demo.ports import HOST
from ledger.errors import Refused
from ledger.homes import home as layout

PASSPHRASE = "passphrase"  # noqa: S105 -- the name of the file
NAME = "Plimsoll demo"
TIME_ZONE = "Asia/Shanghai"

#: Several nodes share this machine: few processes and little cache each.
_SETTINGS = f"""
# Of the demo.
passphrase_file = "{PASSPHRASE}"
cache_mib = 32
workers = 1
"""


@dataclass(frozen=True, slots=True)
class Lender:
    """One member of the demo. home: DIR/lender-k."""

    member: str
    home: Path
    port: int

    @property
    def address(self) -> str:
        """Where its node listens."""
        return f"{HOST}:{self.port}"

    @property
    def passphrase_file(self) -> Path:
        """In its home, named by its config.toml."""
        return self.home / PASSPHRASE


def lenders(folder: Path, ports: Sequence[int]) -> list[Lender]:
    """lender-1 .. with homes in the folder. Raises Refused where one is there already."""
    members = [Lender(f"lender-{k}", folder / f"lender-{k}", port) for k, port in enumerate(ports, 1)]
    for lender in members:
        if lender.home.exists():
            raise Refused("HOME_EXISTS", "is there already; the demo makes new homes only", str(lender.home))
    return members


def make_homes(members: Sequence[Lender]) -> Iterator[int]:
    """Everybody's keys and card; yields how many are done."""
    commands = []
    for lender in members:
        # `init` makes its folder whole or not at all, so the passphrase waits beside it.
        _write_private(_waiting(lender), secrets.token_urlsafe(24) + "\n")
        options = ["--home", str(lender.home), "--passphrase-file", str(_waiting(lender))]
        commands.append([*options, "init", "--member", lender.member, "--address", lender.address])
    yield from processes.run_all(commands)
    for lender in members:
        _waiting(lender).rename(lender.passphrase_file)
        with (lender.home / layout.CONFIG).open("a") as config:
            config.write(_SETTINGS)


def found(members: Sequence[Lender], manifest: Path, currency: str) -> None:
    """The manifest over everybody's cards."""
    cards = [str(lender.home / layout.CARD) for lender in members]
    options = ["--name", NAME, "--currency", currency, "--time-zone", TIME_ZONE]
    _run([["found", *cards, "--output", str(manifest), *options]])


def sign(members: Sequence[Lender], manifest: Path) -> Iterator[int]:
    """Everybody signs a copy; the signatures are put together. Yields how many have signed."""
    copies = [manifest.with_name(f"{manifest.name}.{lender.member}") for lender in members]
    signing = [
        [*_home(lender), "sign", str(manifest), "--output", str(copy)]
        for lender, copy in zip(members, copies, strict=True)
    ]
    yield from processes.run_all(signing)
    _run([["found", "--merge", *map(str, copies), "--output", str(manifest)]])
    for copy in copies:
        copy.unlink()


def adopt(members: Sequence[Lender], manifest: Path) -> Iterator[int]:
    """Everybody puts it in force; yields how many have."""
    yield from processes.run_all([[*_home(lender), "adopt", str(manifest)] for lender in members])


def _run(commands: Sequence[Sequence[str]]) -> None:
    for _ in processes.run_all(commands):
        pass


def _home(lender: Lender) -> list[str]:
    return ["--home", str(lender.home)]


def _waiting(lender: Lender) -> Path:
    return lender.home.with_name(f"{lender.home.name}.{PASSPHRASE}")


def _write_private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
