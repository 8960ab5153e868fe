"""Messages as the plain values that JSON holds.

Names are those of protos/plimsoll/v1, integers stay integers (protobuf's own JSON turns 64 bits into text), bytes are
lower-case hex, an absent message is null.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from plimsoll.v1 import lender_pb2

from ledger.queries.inquiry import PURPOSES


def plain(message: Message) -> dict[str, Any]:
    """Every field, set or not."""
    return {field.name: _field(message, field) for field in message.DESCRIPTOR.fields}


def exposure(response: lender_pb2.ExposureResponse) -> dict[str, Any]:
    """An answer. Classes and bands are counts by name, purposes have the names that people type.

    amounts: minor units, or null where they are withheld; `withheld` then is the reason. The transcript is left out: it
    may be a secret, and goes to a file.
    """
    answer = plain(response)
    del answer["transcript"]
    for name in ("bands", "overdue_bands"):
        answer[name] = {count.upper: count.lenders for count in getattr(response, name)}
    answer["classes"] = {count.name: count.lenders for count in response.classes}
    for inquiry in answer["inquiries"]:
        inquiry["purpose"] = PURPOSES.get(inquiry["purpose"], "unknown")
    return answer


def assessment(response: lender_pb2.AssessResponse) -> dict[str, Any]:
    """A decision; its record is left out and goes to a file. Words are by language."""
    answer = plain(response)
    del answer["record"]
    answer["exposure"] = exposure(response.exposure)
    for reason in answer["reasons"]:
        texts = reason.pop("texts")
        reason["text"] = {each["language"]: each["text"] for each in texts}
        reason["remedy"] = {each["language"]: each["remedy"] for each in texts}
    return answer


def _field(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.is_repeated:
        return [_value(each) for each in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _value(value)


def _value(value: Any) -> Any:
    if isinstance(value, Message):
        return plain(value)
    return value.hex() if isinstance(value, bytes) else value
