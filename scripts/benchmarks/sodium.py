"""libsodium's calls, bare: what a thing costs that does nothing but the arithmetic it needs."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any

from rbcl import _sodium

from ledger.crypto import group


@dataclass(frozen=True, slots=True)
class Calls:
    """How many scalar multiplications of the base point and of other points, and additions."""

    base: int
    other: int
    additions: int = 0

    def make(self, times: int = 1) -> int:
        """Makes them, so many times over; how many times."""
        out = ctypes.create_string_buffer(group.SIZE)
        scalar = group.random_scalar(os.urandom)
        point = group.mul_base(group.random_scalar(os.urandom))
        # rbcl's own wrappers would slow the yardstick down.
        base = _bind("crypto_scalarmult_ristretto255_base", 2)
        multiply = _bind("crypto_scalarmult_ristretto255", 3)
        add = _bind("crypto_core_ristretto255_add", 3)
        for _ in range(times):
            for _ in range(self.base):
                base(out, scalar)
            for _ in range(self.other):
                multiply(out, scalar, point)
            for _ in range(self.additions):
                add(out, point, point)
        return times


def _bind(name: str, arguments: int) -> Any:
    call = _sodium[name]
    call.argtypes = (ctypes.c_char_p,) * arguments
    return call
