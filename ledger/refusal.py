"""Refusals on the wire (design section 8): google.rpc.Status with an ErrorInfo and, for a field, a BadRequest; where it
is known when to try again, a RetryInfo."""

from __future__ import annotations

import re

from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from ledger import errors
from ledger.errors import Exhausted, PlimsollError

DOMAIN = "plimsoll"
TRAILER = "grpc-status-details-bin"

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_MAX_TEXT = 500

_KINDS: dict[str, type[PlimsollError]] = {
    kind.grpc_status: kind
    for kind in (
        errors.InvalidInput,
        errors.Refused,
        errors.NotFound,
        errors.Unavailable,
        errors.Unready,
        errors.Exhausted,
        errors.Unverified,
    )
}


def to_status(error: PlimsollError) -> status_pb2.Status:
    """The error as a status: its kind as code, its reason in ErrorInfo, its path in BadRequest."""
    code = code_pb2.Code.Value(error.grpc_status)
    status = status_pb2.Status(code=code, message=error.message)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    status.details.add().Pack(info)
    if error.path:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.path, description=error.message)
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, Exhausted) and error.retry is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(max(1, round(error.retry * 1000)))
        status.details.add().Pack(retry)
    return status


def from_status(raw: bytes | None, code_name: str, message: str) -> PlimsollError:
    """The error behind a failed call: from its status details where they are ours, else from code and message.

    Whoever refused chose every byte of it: what is no detail is passed over, and text is cut to what may be shown.
    """
    status = _parse(raw)
    kind = _KINDS.get(code_name, PlimsollError)
    reason, path = code_name, ""
    for detail in status.details:
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if _unpack(detail, info) and info.domain == DOMAIN and _REASON.fullmatch(info.reason):
            reason = info.reason
        elif _unpack(detail, request) and request.field_violations:
            path = _shown(request.field_violations[0].field)
    return kind(reason, _shown(message), path)


def _unpack(detail: any_pb2.Any, into: Message) -> bool:
    """Whether the detail is of this type, and can be read."""
    try:
        return detail.Unpack(into)
    except DecodeError:
        return False


def _shown(text: str) -> str:
    """What may go to a terminal: no control characters, and not without end."""
    return "".join(character if character.isprintable() else "?" for character in text[:_MAX_TEXT])


def _parse(raw: bytes | None) -> status_pb2.Status:
    try:
        return status_pb2.Status.FromString(raw or b"")
    except DecodeError:  # a server that is not ours: code and message still say what happened
        return status_pb2.Status()
