"""Timing that survives a noisy machine: subject and yardsticks by turns, and the ratio of what ran side by side."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

Run = Callable[[], int]
"""Does the work of one lap; how many items that were."""

Work = Callable[[], Run]
"""Prepares a lap, which is not timed, and gives what is to be timed."""


@dataclass(frozen=True, slots=True)
class Lap:
    """Seconds that some items took; held_up: of these, how long this thread could have run but others had the cores."""

    items: int
    wall: float
    held_up: float = 0.0

    @property
    def rate(self) -> float:
        """Items a second, on a core for ourselves."""
        return self.items / (self.wall - self.held_up)


def time_lap(work: Work) -> Lap:
    """Prepares and times one lap."""
    run = work()
    started, waited = time.perf_counter(), _waited()
    items = run()
    return Lap(items, time.perf_counter() - started, _waited() - waited)


def _waited() -> float:
    """Seconds that this thread has waited for a core so far: the kernel's run delay (proc(5), schedstat)."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def alternate(works: Mapping[str, Work], rounds: int, warm_up: int = 1) -> dict[str, list[Lap]]:
    """`rounds` laps of each work, by turns and each round in another order; warm-up laps come before and count not."""
    names = list(works)
    laps: dict[str, list[Lap]] = {name: [] for name in names}
    for number in range(-warm_up, rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            lap = time_lap(works[name])
            if number >= 0:
                laps[name].append(lap)
    return laps


def rate(laps: Iterable[Lap]) -> float:
    """The median of the laps' items a second."""
    return median(lap.rate for lap in laps)


def paired(subject: Sequence[Lap], yardstick: Sequence[Lap]) -> float:
    """Median over the rounds of the subject's rate by the yardstick's: a slow moment of the machine slows both."""
    return median(one.rate / other.rate for one, other in zip(subject, yardstick, strict=True))


def together(*rates: float) -> float:
    """Items a second of steps one after the other: the best that whoever must do all of them can reach."""
    return 1 / sum(1 / each for each in rates)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Of latencies: p50, p90, p99, the largest, and how many there are."""
    shares = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: quantile(values, share) for name, share in shares.items()} | {"count": len(values)}
