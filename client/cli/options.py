"""The options that all commands share, accepted before and after the command's name: `plimsoll --json status` is
`plimsoll status --json`. Where both are given the later one counts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

HOME_VARIABLE = "PLIMSOLL_HOME"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the shared options say.

    home: a lender's home directory. passphrase_file: opens its secrets. json: stdout gets JSON and nothing else.
    address, cert, key, ca: how to reach a node without a home; all four or none.
    """

    home: Path | None = None
    passphrase_file: Path | None = None
    json: bool = False
    address: str | None = None
    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    @property
    def home_or_environment(self) -> Path | None:
        """The home named by --home, else by PLIMSOLL_HOME."""
        named = os.environ.get(HOME_VARIABLE)
        return self.home or (Path(named) if named else None)


def settings_of(context: typer.Context) -> Settings:
    """The shared options as given anywhere on the command line."""
    settings = context.find_root().obj
    return settings if isinstance(settings, Settings) else Settings()


def _remember(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:
    if value is not None and value is not False:
        context.find_root().obj = replace(settings_of(context), **{str(parameter.name): value})
    return value


def _option(*names: str, metavar: str | None, help: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, show_default=False, callback=_remember, expose_value=False)


def _home_options(
    home: Annotated[
        Path | None, _option("--home", metavar="DIR", help=f"The lender's home directory (or {HOME_VARIABLE}).")
    ] = None,
    passphrase_file: Annotated[
        Path | None, _option("--passphrase-file", metavar="FILE", help="Holds the passphrase of the home's secrets.")
    ] = None,
) -> None:
    """What opens a home."""


def _json_options(
    json: Annotated[bool, _option("--json", metavar=None, help="Print JSON, and nothing else, on stdout.")] = False,
) -> None:
    """How to answer."""


def _endpoint_options(
    address: Annotated[
        str | None, _option("--address", metavar="HOST:PORT", help="The node to ask, where there is no home.")
    ] = None,
    cert: Annotated[
        Path | None, _option("--cert", metavar="FILE", help="With --address: our certificate, PEM.")
    ] = None,
    key: Annotated[Path | None, _option("--key", metavar="FILE", help="With --address: its secret key, PEM.")] = None,
    ca: Annotated[
        Path | None, _option("--ca", metavar="FILE", help="With --address: CA of the node's member, PEM.")
    ] = None,
) -> None:
    """What reaches a node without a home."""


def _parameters(function: Any) -> list[Any]:
    """The parameters that typer makes of a function's signature, to be given to other commands."""
    template = typer.Typer(add_completion=False)
    template.command()(function)
    return [parameter for parameter in typer.main.get_command(template).params if parameter.name != "help"]


class JsonCommand(typer.core.TyperCommand):
    """A command that takes --json."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.params += _parameters(_json_options)


class ConnectedCommand(JsonCommand):
    """A command that also takes what reaches a node."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.params += _parameters(_home_options) + _parameters(_endpoint_options)


class SharedGroup(typer.core.TyperGroup):
    """The root, or a group of commands, which take all of them."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        for shared in (_json_options, _home_options, _endpoint_options):
            self.params += _parameters(shared)
