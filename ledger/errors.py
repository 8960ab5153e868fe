"""The one error hierarchy: every refusal says what happened, where, and (as a stable code) of which kind.

Nothing else leaves the core: a parser fed hostile bytes raises one of these or returns a value that cannot be wrong.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PlimsollError(Exception):
    """A refusal.

    reason: stable UPPER_SNAKE code for programs (google.rpc.ErrorInfo.reason), e.g. "BAD_CHECKSUM".
    message: one line for people; never holds an identity, an amount or a key.
    path: the field it is about, dotted, lists by index ("rows[3].outstanding"); "" when about the whole.
    """

    exit_code: ClassVar[int] = 10
    grpc_status: ClassVar[str] = "INTERNAL"

    def __init__(self, reason: str, message: str, path: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.path = path

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message} [{self.reason}]"

    def under(self, prefix: str) -> PlimsollError:
        """The same refusal seen from the enclosing message: `path` gets `prefix` in front."""
        separator = "." if self.path and not self.path.startswith("[") else ""
        return _made_again(type(self), self.args, {**vars(self), "path": f"{prefix}{separator}{self.path}"})

    def __reduce__(self) -> tuple[Any, ...]:
        """For copies and other processes, as not every kind is made of the same arguments."""
        return _made_again, (type(self), self.args, vars(self))


def _made_again(kind: type[PlimsollError], args: tuple[object, ...], facts: dict[str, object]) -> PlimsollError:
    error = kind.__new__(kind, *args)
    vars(error).update(facts)
    return error


class InvalidInput(PlimsollError):
    """Bytes or values that no state of the world makes acceptable."""

    exit_code = 3
    grpc_status = "INVALID_ARGUMENT"


class Refused(PlimsollError):
    """Well-formed, but this party may not, or policy forbids it."""

    exit_code = 4
    grpc_status = "PERMISSION_DENIED"


class NotFound(PlimsollError):
    """The thing named does not exist here."""

    exit_code = 5
    grpc_status = "NOT_FOUND"


class Unavailable(PlimsollError):
    """Someone needed is not there now; the same call may succeed later."""

    exit_code = 6
    grpc_status = "UNAVAILABLE"


class Unready(PlimsollError):
    """This node's own state does not allow it yet (no keys, disk full, another run in progress)."""

    exit_code = 7
    grpc_status = "FAILED_PRECONDITION"


class Exhausted(PlimsollError):
    """A quota, a rate or a size limit is used up. retry: seconds until the same call may succeed; None: unknown."""

    exit_code = 8
    grpc_status = "RESOURCE_EXHAUSTED"

    def __init__(self, reason: str, message: str, path: str = "", *, retry: float | None = None) -> None:
        super().__init__(reason, message, path)
        self.retry = retry


class Unverified(PlimsollError):
    """A signature, proof, hash or consistency check failed: somebody lies or something rotted."""

    exit_code = 9
    grpc_status = "DATA_LOSS"
