"""The command `plimsoll`, one file per command. What commands do beyond talking to people lies in `client` itself."""

from client.cli.app import main

__all__ = ["main"]
