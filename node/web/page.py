"""What an answer is made of, and how refusals look over HTTP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.errors import Exhausted, InvalidInput, NotFound, PlimsollError, Refused, Unavailable, Unready
from ledger.tlog.tlog_witness import SIZE_TYPE, OldSize, render_size

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"

FOR_EVER = "private, max-age=31536000, immutable"
FOR_A_MOMENT = "no-cache"
NEVER = "no-store"

_BY_REASON = {"TOO_LARGE": 413, "TOO_SLOW": 408}
_STATUS: tuple[tuple[type[PlimsollError], int], ...] = (
    (InvalidInput, 400),
    (Refused, 403),
    (NotFound, 404),
    (Exhausted, 429),
    (Unavailable, 503),
    (Unready, 503),
)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer. body: all of it."""

    body: bytes
    type: str = TEXT
    cache: str = NEVER
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(error: PlimsollError, *, unverified: int = 500) -> Page:
    """unverified: what Unverified means there: a store that has rotted, or a caller whose proof fails."""
    if isinstance(error, OldSize):
        return Page(render_size(error.size), SIZE_TYPE, status=409)
    status = _BY_REASON.get(error.reason)
    if status is None:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), unverified)
    headers = {}
    if status in (429, 503):
        headers["Retry-After"] = str(math.ceil(getattr(error, "retry", None) or 5))
    return Page(f"{error}\n".encode(), status=status, headers=headers)
