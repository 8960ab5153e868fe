"""Notifications: what one says, how it is signed, and when it is tried again (docs/watching.md has it for receivers).

    Plimsoll-Event: <id>
    Plimsoll-Timestamp: <Unix seconds, decimal>
    Plimsoll-Signature: v1=<hex of HMAC-SHA256(secret, timestamp || "." || body)>

Not the framing of crypto.hashing: receivers write this check themselves, in whatever language, and a timestamp has no
dot. The body says what it is, and the secret is for nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

from plimsoll.v1 import lender_pb2

from ledger.errors import InvalidInput, Unverified
from ledger.queries.inquiry import DAY
from ledger.strict import parse_decimal

FORMAT = "plimsoll/watch-event/v1"
EVENT_HEADER, TIME_HEADER, SIGNATURE_HEADER = "Plimsoll-Event", "Plimsoll-Timestamp", "Plimsoll-Signature"
MIN_SECRET, MAX_SECRET = 16, 4096
TOLERANCE = 300
"""Seconds that a receiver lets a notification be old, or early."""
FIRST_PAUSE, LONGEST_PAUSE = 5, 3600
GIVE_UP = DAY
"""Seconds after which an event is not sent any more."""


def body(event: lender_pb2.WatchEvent, consortium: str, member: str) -> bytes:
    """JSON, one line, the same each time the event is sent; without the borrower's identity."""
    facts = {
        "format": FORMAT,
        "id": event.id,
        "number": event.number,
        "time": event.time,
        "consortium": consortium,
        "member": member,
        "watch": event.watch,
        "reference": event.reference,
        "code": event.code,
        "before": event.before if event.HasField("before") else None,
        "now": event.now if event.HasField("now") else None,
        "unit": event.unit,
        "limit": event.limit if event.HasField("limit") else None,
        "limit_unit": event.limit_unit,
        "members": list(event.members),
        "inquiry_index": event.inquiry_index,
        "text": {each.language: each.text for each in event.texts},
    }
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()


def read_secret(raw: bytes) -> bytes:
    """A secret as it stands in its file, without the line's end. Raises InvalidInput."""
    secret = raw.rstrip(b"\r\n")
    if not MIN_SECRET <= len(secret) <= MAX_SECRET:
        raise InvalidInput("BAD_LENGTH", f"a webhook's secret has {MIN_SECRET} to {MAX_SECRET} bytes")
    return secret


def headers(secret: bytes, event: str, now: int, content: bytes) -> dict[str, str]:
    """Of one try at `now`, Unix seconds."""
    return {
        "Content-Type": "application/json; charset=utf-8",
        EVENT_HEADER: event,
        TIME_HEADER: str(now),
        SIGNATURE_HEADER: signature(secret, now, content),
    }


def signature(secret: bytes, timestamp: int, content: bytes) -> str:
    """The signature header's value."""
    return "v1=" + hmac.new(secret, b"%d." % timestamp + content, hashlib.sha256).hexdigest()


def verify(secret: bytes, found: Mapping[str, str], content: bytes, now: int) -> None:
    """What a receiver checks before it reads the body. Raises Unverified (BAD_SIGNATURE, OLD_NOTIFICATION)."""
    try:
        timestamp = parse_decimal(found.get(TIME_HEADER, ""), TIME_HEADER)
    except InvalidInput:
        raise Unverified("BAD_SIGNATURE", "there is no timestamp", TIME_HEADER) from None
    expected = signature(secret, timestamp, content).encode()
    if not hmac.compare_digest(expected, found.get(SIGNATURE_HEADER, "").encode()):
        raise Unverified("BAD_SIGNATURE", "the signature does not fit timestamp and body", SIGNATURE_HEADER)
    if abs(now - timestamp) > TOLERANCE:
        raise Unverified("OLD_NOTIFICATION", f"more than {TOLERANCE} s old, or early", TIME_HEADER)


def pause(failures: int) -> int:
    """Seconds until the next try after so many that failed, 1 or more."""
    return min(LONGEST_PAUSE, FIRST_PAUSE << min(failures - 1, 16))
