"""`plimsoll audit`: the auditor's commands, one file each."""

from client.cli.auditing.app import app

__all__ = ["app"]
