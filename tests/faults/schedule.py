"""Which faults happen when: drawn from a seed, so that a run that failed can be made again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    KILL = "kill -9, started again at the end"
    STOP = "SIGSTOP"
    PART = "partition"
    LOSE = "loss"
    STALL = "the disk stalls"


#: How often each comes, and for how many seconds.
KINDS: dict[Kind, tuple[int, tuple[float, float]]] = {
    Kind.KILL: (4, (0.0, 6.0)),
    Kind.STOP: (2, (1.0, 6.0)),
    Kind.PART: (3, (3.0, 15.0)),
    Kind.LOSE: (2, (3.0, 10.0)),
    Kind.STALL: (2, (1.0, 6.0)),
}
#: Seconds from the beginning of one fault to that of the next; several last at the same time.
PAUSE = (0.5, 4.0)


@dataclass(frozen=True)
class Fault:
    """From `start` to `end`, seconds since the storm's beginning."""

    start: float
    end: float
    kind: Kind
    #: To whom; of a partition one of the halves, of a loss one of each pair, all pairs where it is empty.
    members: tuple[str, ...] = ()
    share: float = 0.0

    @property
    def resource(self) -> str:
        """What it needs for itself: faults that would undo each other do not overlap."""
        if self.kind in (Kind.PART, Kind.LOSE):
            return "network"
        return "disk" if self.kind is Kind.STALL else self.members[0]


def draw(rng: random.Random, seconds: float, members: Sequence[str]) -> list[Fault]:
    """In order of their beginnings; all are over at `seconds`."""
    faults: list[Fault] = []
    now = rng.uniform(*PAUSE)
    while now < seconds:
        fault = _one(rng, now, members)
        if fault.end < seconds and all(each.end < now for each in faults if each.resource == fault.resource):
            faults.append(fault)
        now += rng.uniform(*PAUSE)
    return faults


def _one(rng: random.Random, now: float, members: Sequence[str]) -> Fault:
    (kind,) = rng.choices(list(KINDS), [weight for weight, _ in KINDS.values()])
    end = now + rng.uniform(*KINDS[kind][1])
    if kind in (Kind.KILL, Kind.STOP):
        return Fault(now, end, kind, (rng.choice(members),))
    if kind is Kind.PART:
        return Fault(now, end, kind, tuple(rng.sample(members, rng.randint(1, len(members) // 2))))
    if kind is Kind.LOSE:
        some = tuple(rng.sample(members, rng.choice([0, 1, 2])))
        return Fault(now, end, kind, some, round(rng.uniform(0.1, 0.3), 2))
    return Fault(now, end, kind)
