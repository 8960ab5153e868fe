"""Members in memory, epoch after epoch: a Keeper each, one disk, the logs copied whole at every step.

Whoever is a member stays one; manifests that begin epochs are in force for all as soon as they are added.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, field

from ledger.ceremony import (
    Append,
    Beginning,
    CeremonyEntry,
    Checks,
    Epochs,
    Erase,
    Installed,
    Keeper,
    KeeperAction,
    Persist,
    Retention,
    Retired,
    read_entry,
    replay_epochs,
)
from ledger.ceremony.keeper_state import KeeperState
from ledger.ceremony.state import ParticipantState
from tests.ledger.ceremony.simulation import QUICK, Crashed, custodians

RETENTION = Retention(grace=120, stragglers=1000)
MEMBERS = 7


def beginning(epoch: int, names: Collection[str], threshold: int, dealt_from: int | None = None) -> Beginning:
    source = epoch - 1 if dealt_from is None else dealt_from
    return Beginning(bytes([1]) * 32, bytes([100 + epoch]) * 32, epoch, source, tuple(names), threshold)


def founding(size: int = 3, threshold: int = 2) -> Beginning:
    return beginning(1, custodians(size), threshold)


@dataclass
class Home:
    """One member's process and disk. states: every persisted state still readable. history: of all actions."""

    world: EpochsWorld
    name: str
    keeper: Keeper
    states: list[bytes] = field(default_factory=list)
    serving: set[int] = field(default_factory=set)
    history: list[KeeperAction] = field(default_factory=list)
    crash_points: set[int] = field(default_factory=set)
    crash_odds: float = 0.0
    points: int = 0
    restarts: int = 0

    def step(self) -> None:
        try:
            for action in self.keeper.step(self.world.beginnings, self.world.entries(), self.world.now):
                self.maybe_crash()
                self.execute(action)
                self.maybe_crash()
        except Crashed:
            self.restart()

    def maybe_crash(self) -> None:
        self.points += 1
        if self.points in self.crash_points or self.world.random.random() < self.crash_odds:
            raise Crashed

    def execute(self, action: KeeperAction) -> None:
        self.history.append(action)
        match action:
            case Persist(state):
                self.states.append(state)
            case Erase():
                del self.states[:-1]
            case Installed(keys, shares):
                shares.check_fit(keys)
                self.serving.add(keys.epoch)
            case Retired(epoch):
                self.serving.discard(epoch)
            case Append(entry):
                assert any(entry in decided_entries(state) for state in self.states)
                self.world.append(self.name, entry)

    def restart(self) -> None:
        self.restarts += 1
        self.serving.clear()
        self.keeper = self.world.keeper(self.name, self.states[-1] if self.states else None)

    def lose_disk(self) -> None:
        self.states.clear()
        self.restart()

    @property
    def state(self) -> KeeperState:
        return KeeperState.from_bytes(self.states[-1])

    def readable(self) -> set[int]:
        """The epochs whose shares somebody who takes the disk now has, also from states no longer in use."""
        return {epoch for state in self.states for epoch in shares_in(state)}

    def openers(self) -> set[bytes]:
        """Keys on the disk that open sealed shares in the logs."""
        found = set()
        for state in self.states:
            for raw in KeeperState.from_bytes(state).participants.values():
                found.add(ParticipantState.from_bytes(raw).hpke_private)
        return found - {b""}


def shares_in(state: bytes) -> set[int]:
    participants = KeeperState.from_bytes(state).participants
    return {epoch for epoch, raw in participants.items() if ParticipantState.from_bytes(raw).shares}


def decided_entries(state: bytes) -> set[bytes]:
    participants = KeeperState.from_bytes(state).participants.values()
    return {entry for raw in participants for entry in ParticipantState.from_bytes(raw).entries}


class EpochsWorld:
    def __init__(self, first: Beginning | None = None, seed: int = 0, retention: Retention = RETENTION) -> None:
        self.random = random.Random(seed)
        self.retention = retention
        self.now = 1_700_000_000.0
        self.checks = Checks()
        self.beginnings = [first or founding()]
        self.raw: dict[str, list[bytes]] = {name: [] for name in custodians(MEMBERS)}
        self.logs: dict[str, list[CeremonyEntry]] = {name: [] for name in self.raw}
        self.homes = {name: Home(self, name, self.keeper(name)) for name in self.raw}

    def keeper(self, name: str, state: bytes | None = None) -> Keeper:
        return Keeper(name, self.random.randbytes, self.retention, QUICK, state, self.checks)

    def append(self, author: str, raw: bytes) -> None:
        entry = read_entry(author, len(self.raw[author]), raw)
        assert entry is not None
        self.logs[author].append(entry)
        self.raw[author].append(raw)

    def entries(self) -> list[CeremonyEntry]:
        return [entry for log in self.logs.values() for entry in log]

    def replay(self) -> Epochs:
        """What somebody without secrets sees who has all the logs."""
        return replay_epochs(self.beginnings, self.entries(), self.checks)

    def begin(self, names: Collection[str], threshold: int, dealt_from: int | None = None) -> int:
        """A manifest that begins the next epoch; gives its number."""
        epoch = len(self.beginnings) + 1
        self.beginnings.append(beginning(epoch, names, threshold, dealt_from))
        return epoch

    def home(self, number: int) -> Home:
        return self.homes[f"lender-{number}"]

    def run(self, away: Collection[int] = (), until: float | None = None, final: int | None = None) -> Epochs:
        """Steps all in random order until nothing more will happen, the clock is past `until`, or epoch `final` is."""
        online = [home for number, home in enumerate(self.homes.values(), 1) if number not in away]
        while True:
            before = self.progress()
            for home in self.random.sample(online, len(online)):
                home.step()
            self.now += 0.1
            if final in self.replay().keys:
                break
            if self.progress() != before:
                continue
            due = [home.keeper.due for home in online if home.keeper.due is not None]
            if not due or (until is not None and min(due) > until):
                break
            self.now = max(self.now, min(due))
        return self.replay()

    def progress(self) -> tuple[int, int]:
        """Grows with every entry, crash and persisted state."""
        acts = sum(home.restarts + sum(isinstance(a, Persist) for a in home.history) for home in self.homes.values())
        return sum(map(len, self.raw.values())), acts
