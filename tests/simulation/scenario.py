"""A plan out of a seed. Most are small and quick; some have more members, a key ceremony under fire, a villain."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from tests.simulation.plan import (
    Ask,
    Backup,
    BadDisk,
    Crash,
    Cut,
    Event,
    Loan,
    Partition,
    Plan,
    Report,
    Rewind,
    Skew,
    SlowDisk,
    Storm,
)
from tests.simulation.villains import KINDS

#: Most lend to the first.
BORROWERS = ("test:b1", "test:b1", "test:b1", "test:b2", "test:b3")
CLASSES = ("pass", "pass", "pass", "special-mention", "substandard", "doubtful", "loss")
#: Villains among all other trouble.
DRAWN = tuple(sorted(KINDS.keys() - {"hoarder"}))
#: Seconds that an author has to keep its log from being witnessed, at least.
HOARDED = 300.0
#: Sums stay below 2^17, where a small table finds them at once.
MOST = 8_000


def draw(seed: int, members: int | None = None) -> Plan:
    """The plan of a seed. members: instead of the number it would have."""
    rng = random.Random(f"plan {seed}")
    large = rng.random() < 0.15
    size = members or (rng.choice((4, 5, 6)) if large else rng.choice((3, 3, 3, 4)))
    names = [f"lender-{number}" for number in range(1, size + 1)]
    villain = rng.choice(DRAWN) if rng.random() < 0.3 else ""
    culprit = rng.choice(names) if villain else ""
    # A custodian that forks its log during a ceremony stops it for good: that is for people to look at.
    ceremony = (rng.random() < 0.2 or villain == "ceremony") and villain != "forker"
    seconds = rng.uniform(30, 60) if large or ceremony else rng.uniform(12, 30)
    events = _business(rng, names, seconds, 2 if large else 1)
    rough = rng.random() < 0.1
    for _ in range(rng.randint(8, 15) if rough else rng.choice((0, 1, 2, 3, 4)) * (2 if large else 1)):
        events.append(_trouble(rng, names, seconds))
    if rng.random() < 0.15:
        events += _rewind(rng, names, culprit, seconds)
    if not villain and rng.random() < 0.05:
        return _hoarded(seed, rng, names)
    events.sort(key=lambda event: event.at)
    return Plan(seed, size, seconds, ceremony, villain, culprit, tuple(events))


def _hoarded(seed: int, rng: random.Random, names: Sequence[str]) -> Plan:
    """A world that is well, for minutes, but for an author that wants nothing of its log witnessed: members that are
    away, or whose clocks are off, may keep that from being witnessed, too."""
    seconds = rng.uniform(1.0, 1.5) * HOARDED
    events = tuple(sorted(_business(rng, names, seconds, 2), key=lambda event: event.at))
    return Plan(seed, len(names), seconds, ceremony=False, villain="hoarder", culprit=rng.choice(names), events=events)


def _business(rng: random.Random, names: Sequence[str], seconds: float, much: int) -> list[Event]:
    """Lenders lend, report and ask."""
    books: dict[str, tuple[Loan, ...]] = dict.fromkeys(names, ())
    events: list[Event] = []
    for at in sorted(rng.uniform(0, seconds) ** 2 / seconds for _ in range(rng.randint(3, 6) * much)):
        member = rng.choice(names)
        books[member] = _changed(rng, member, books[member])
        events.append(Report(at, member, books[member]))
    questions = range(rng.randint(2, 5) * much)
    return events + [Ask(rng.uniform(0, seconds), rng.choice(names), rng.choice(BORROWERS)) for _ in questions]


def _changed(rng: random.Random, member: str, loans: tuple[Loan, ...]) -> tuple[Loan, ...]:
    """A lender's loans some time later: new ones, paid ones, closed ones."""
    after = [_paid(rng, loan) if rng.random() < 0.5 else loan for loan in loans]
    for _ in range(rng.randint(0 if loans else 1, 2)):
        after.append(_granted(rng, f"L{len(after) + 1}"))
    return tuple(after[:6])


def _granted(rng: random.Random, name: str) -> Loan:
    outstanding = rng.randint(0, MOST)
    overdue = rng.choice((0, 0, rng.randint(1, 3_000)))
    return Loan(
        rng.choice(BORROWERS), name, outstanding, outstanding // 10, outstanding * 2, overdue, rng.choice(CLASSES), True
    )


def _paid(rng: random.Random, loan: Loan) -> Loan:
    if rng.random() < 0.3:
        return replace(loan, outstanding=0, monthly_due=0, overdue=0, open=False)
    return replace(loan, outstanding=rng.randint(0, MOST), classification=rng.choice(CLASSES), open=True)


def _trouble(rng: random.Random, names: Sequence[str], seconds: float) -> Event:
    at = rng.uniform(0, seconds)
    member = rng.choice(names)
    match rng.choice(("crash", "crash", "cut", "cut", "partition", "partition", "storm", "slow", "bad", "skew")):
        case "crash":
            return Crash(at, member, rng.uniform(0.1, 8))
        case "cut":
            return Cut(at, member, rng.randint(0, 12), rng.uniform(0.1, 8))
        case "partition":
            side = tuple(rng.sample(names, rng.randint(1, len(names) - 1)))
            return Partition(at, side, rng.uniform(0.5, 15), rng.random() < 0.3)
        case "storm":
            return Storm(at, rng.uniform(1, 15), rng.uniform(0, 0.4), rng.uniform(0, 0.3), rng.uniform(0.001, 0.3))
        case "slow":
            return SlowDisk(at, member, rng.uniform(1, 15), rng.uniform(0.01, 1.0))
        case "bad":
            return BadDisk(at, member, rng.uniform(1, 10), rng.uniform(0.05, 0.6))
        case _:
            return Skew(at, member, rng.choice((-1, 1)) * rng.uniform(0, 60))


def _rewind(rng: random.Random, names: Sequence[str], culprit: str, seconds: float) -> list[Event]:
    member = rng.choice([name for name in names if name != culprit])
    saved, down = rng.uniform(0, seconds / 2), rng.uniform(0.1, 5)
    at = rng.uniform(saved, seconds)
    # The others are far away, and somebody has it write before it has heard from any of them.
    early = Ask(at + down + rng.uniform(0.001, 0.2), member, rng.choice(BORROWERS))
    storm = Storm(at, down + 2, 0.0, 0.0, rng.choice((0.002, 0.3)))
    return [Backup(saved, member), Rewind(at, member, down, rng.random() < 0.3), early, storm]
