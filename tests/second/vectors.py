"""The known answers in tests/vectors, and bytes with something changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors"


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def unhex(value: Any) -> Any:
    """Hexadecimal texts, and lists of them, as bytes."""
    return [unhex(item) for item in value] if isinstance(value, list) else bytes.fromhex(value)


def flipped(raw: bytes, at: int = 0, mask: int = 1) -> bytes:
    return raw[:at] + bytes([raw[at] ^ mask]) + raw[at + 1 :]
