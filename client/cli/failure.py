"""What people and scripts are told when something goes wrong: one line on stderr, and an exit code by kind.

    plimsoll: <path: >message [REASON]

With --json one JSON object: {"error": {"reason", "message", "path"}}. PLIMSOLL_DEBUG=1 shows the traceback, too.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import dataclass
from typing import Any

import typer

from client.text import one_line
from ledger import errors
from ledger.errors import PlimsollError

USAGE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141  # as shells report a writer whose reader has gone: 128 + SIGPIPE

#: Wrong options or arguments. typer exports only this subclass of the error its parser raises.
UsageError: Any = typer.BadParameter.__bases__[0]


@dataclass(frozen=True, slots=True)
class Failure:
    """reason: stable code. message: one line. path: the field or file it is about, or "". exit_code: by kind."""

    reason: str
    message: str
    path: str
    exit_code: int

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"plimsoll: {where}{self.message} [{self.reason}]"

    def as_json(self) -> str:
        """The same for programs."""
        return json.dumps({"error": {"reason": self.reason, "message": self.message, "path": self.path}})


def show(error: Exception, as_json: bool) -> int:
    """Tells stderr; the exit code."""
    if os.environ.get("PLIMSOLL_DEBUG") == "1":
        traceback.print_exception(error)
    failure = describe(error)
    print(failure.as_json() if as_json else failure, file=sys.stderr)
    return failure.exit_code


def describe(error: Exception) -> Failure:
    """The failure behind an exception. What is no PlimsollError and no fault of the outside world is a bug of ours."""
    if isinstance(error, PlimsollError):
        return _failure(error.reason, error.message, error.path, error.exit_code)
    if isinstance(error, UsageError):
        return _failure("USAGE", error.format_message(), "", USAGE)
    if isinstance(error, typer.Abort):
        return _failure("INTERRUPTED", "interrupted", "", INTERRUPTED)
    if isinstance(error, OSError):
        return _failure(*_of_system(error))
    message = f"a bug: {type(error).__name__}; PLIMSOLL_DEBUG=1 shows where"  # its text might hold an identity
    return _failure("INTERNAL", message, "", PlimsollError.exit_code)


def _failure(reason: str, message: str, path: str, exit_code: int) -> Failure:
    return Failure(one_line(reason), one_line(message), one_line(path), exit_code)


def _of_system(error: OSError) -> tuple[str, str, str, int]:
    name = str(error.filename) if error.filename is not None else ""
    message = error.strerror or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "NO_SUCH_FILE", message, name, errors.NotFound.exit_code
    if isinstance(error, PermissionError):
        return "NO_PERMISSION", message, name, errors.Refused.exit_code
    return "SYSTEM", message, name, PlimsollError.exit_code
