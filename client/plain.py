"""Messages as the plain values that JSON holds.

Names are those of protos/plimsoll/v1, integers stay integers (protobuf's own JSON turns 64 bits into text), bytes are
lower-case hex, purposes have the names that people type. An absent message is null.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from google.protobuf.message import Message
from plimsoll.v1 import entry_pb2, lender_pb2

from ledger.errors import InvalidInput

PURPOSES = MappingProxyType(
    {
        "pre-loan": entry_pb2.PURPOSE_PRE_LOAN,
        "post-loan": entry_pb2.PURPOSE_POST_LOAN,
        "guarantor": entry_pb2.PURPOSE_GUARANTOR,
        "dispute": entry_pb2.PURPOSE_DISPUTE,
        "self": entry_pb2.PURPOSE_SELF,
    }
)
_PURPOSE_NAMES = {int(number): name for name, number in PURPOSES.items()}


def purpose_of(name: str) -> entry_pb2.Purpose.ValueType:
    """The purpose of that name. Raises InvalidInput."""
    try:
        return PURPOSES[name]
    except KeyError:
        raise InvalidInput("BAD_PURPOSE", f"a purpose is one of {', '.join(PURPOSES)}", "purpose") from None


def plain(message: Message) -> dict[str, Any]:
    """Every field, set or not."""
    return {field.name: _field(message, field) for field in message.DESCRIPTOR.fields}


def exposure(response: lender_pb2.ExposureResponse) -> dict[str, Any]:
    """An answer: classes and bands as counts by name, `withheld` null where the amounts are there.

    The transcript is left out: it may be a secret, and goes to a file.
    """
    answer = plain(response)
    del answer["transcript"]
    answer["withheld"] = response.withheld or None
    answer["classes"] = {count.name: count.lenders for count in response.classes}
    answer["bands"] = {count.upper: count.lenders for count in response.bands}
    answer["overdue_bands"] = {count.upper: count.lenders for count in response.overdue_bands}
    return answer


def _field(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.is_repeated:
        return [_value(each, field) for each in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _value(value, field)


def _value(value: Any, field: Any) -> Any:
    if isinstance(value, Message):
        return plain(value)
    if field.enum_type is not None:
        return _PURPOSE_NAMES.get(value, "unknown") if field.enum_type.name == "Purpose" else int(value)
    return value.hex() if isinstance(value, bytes) else value
