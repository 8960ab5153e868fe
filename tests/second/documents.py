"""JSON documents (sections 13 and 21): no key twice, numbers as decimal integers alone. What is none fails a step."""

from __future__ import annotations

import json
from typing import Any

from tests.second import head
from tests.second.refusal import Refused, require


def parse(raw: bytes, most: int, step: str) -> Any:
    """What these bytes, at most so many, say. Raises Refused with the step."""
    require(len(raw) <= most, step, "too long")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        require(len({key for key, _ in pairs}) == len(pairs), step, "a key twice")
        return dict(pairs)

    def no_number(text: str) -> Any:
        raise Refused(step, f"not a decimal integer: {text[:20]}")

    def integer(text: str) -> int:
        require(head.NUMBER.match(text), step, "not a decimal integer")
        return int(text)

    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=unique,
            parse_float=no_number,
            parse_constant=no_number,
            parse_int=integer,
        )
    except (ValueError, RecursionError) as error:
        raise Refused(step, "not JSON") from error
