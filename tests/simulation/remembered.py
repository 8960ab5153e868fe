"""What many nodes work out each for itself is worked out once a process: pure functions of public bytes, and slow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from ledger.crypto import ed25519, group

_signature_is_valid = lru_cache(20_000)(ed25519.signature_is_valid)
_mul = lru_cache(20_000)(group.mul)


@contextmanager
def remembered() -> Iterator[None]:
    """Within, these remember. Nothing that a node could tell differs."""
    before = ed25519.signature_is_valid, group.mul
    ed25519.signature_is_valid, group.mul = _signature_is_valid, _mul
    try:
        yield
    finally:
        ed25519.signature_is_valid, group.mul = before
