"""Hypothesis strategies for scalars and points, and the seeded randomness tests hand in."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import strategies as st

from ledger.crypto import group
from ledger.crypto.group import L

# The edges are where reductions go wrong.
integers = st.one_of(st.sampled_from([0, 1, 2, L - 1, L - 2, (L - 1) // 2]), st.integers(0, L - 1))
scalars = integers.map(group.scalar_from_int)
nonzero_scalars = integers.filter(bool).map(group.scalar_from_int)
points = scalars.map(group.mul_base)
nonidentity_points = nonzero_scalars.map(group.mul_base)


def seeded(seed: int) -> Callable[[int], bytes]:
    """Bytes that are the same in every run: fit for tests alone."""
    return random.Random(seed).randbytes
