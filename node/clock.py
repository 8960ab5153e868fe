"""Time and chance as the node's parts see them. Handed in, so that a simulation can put its own in their place."""

from __future__ import annotations

import random
import time


class Clock:
    """The machine's."""

    def unix(self) -> float:
        """Seconds since 1970-01-01 UTC. Any thread."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back, from any start. Any thread."""
        return time.monotonic()

    def jittered(self, seconds: float, spread: float = 0.5) -> float:
        """Seconds to wait, more or less, so that nodes do not act in step: up to `spread` of it either way."""
        return seconds * random.uniform(1 - spread, 1 + spread)  # noqa: S311 -- jitter
