"""Custodians in memory: a log each, copied to the others entry by entry in any order, on a clock of their own.

Everything but the sealing of shares comes out of one seed. A custodian may be away for a time, crash before or after
any action, or be made dishonest by a `twist`: what becomes of each entry it is about to append.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from ledger.ceremony import (
    Action,
    Append,
    Ceremony,
    CeremonyContext,
    CeremonyEntry,
    Checks,
    Erase,
    Former,
    Installed,
    Participant,
    Persist,
    Timing,
    read_entry,
    replay,
)
from ledger.ceremony.entry import Body, parse_body
from ledger.ceremony.state import ParticipantState
from ledger.crypto import group, shamir
from ledger.keys import COORDINATES, PublicKeys, SecretShares, public_keys

QUICK = Timing(close_wait=20, settle=5, reveal_wait=30, turn=2, retry_wait=10, max_retry_wait=100)

Twist = Callable[[Body], list[Body]]


class Crashed(Exception):
    """The process ended in the middle of its actions."""


def custodians(size: int) -> tuple[str, ...]:
    return tuple(f"lender-{number}" for number in range(1, size + 1))


def make_context(size: int, threshold: int, epoch: int = 1) -> CeremonyContext:
    return CeremonyContext(bytes([1]) * 32, bytes([2]) * 32, epoch, custodians(size), threshold)


def shared_keys(
    size: int, threshold: int, rng: Callable[[int], bytes], epoch: int = 1
) -> tuple[PublicKeys, list[SecretShares]]:
    """Keys as a ceremony would leave them, without one."""
    polynomials = [[group.random_scalar(rng) for _ in range(threshold)] for _ in range(COORDINATES)]
    shares = [
        SecretShares.of(epoch, j, [shamir.evaluate(polynomial, j) for polynomial in polynomials])
        for j in range(1, size + 1)
    ]
    points = [[group.mul_base(scalar) for scalar in share] for share in shares]
    return public_keys(epoch, [group.mul_base(polynomial[0]) for polynomial in polynomials], points), shares


@dataclass
class Node:
    """One member's process and disk. held: its shares of the epoch dealt from.

    states: every persisted state that is still readable, oldest first.
    """

    world: World
    name: str
    participant: Participant
    held: SecretShares | None = None
    states: list[bytes] = field(default_factory=list)
    installed: list[Installed] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    twist: Twist = lambda body: [body]
    crash_odds: float = 0.0
    crash_points: set[int] = field(default_factory=set)
    points: int = 0
    restarts: int = 0

    @property
    def index(self) -> int:
        return self.world.context.index_of(self.name)

    @property
    def dealer(self) -> int:
        return self.world.context.dealer_index_of(self.name)

    def view(self) -> list[CeremonyEntry]:
        """What it has of all logs, its own whole."""
        entries = list(self.world.logs[self.name])
        for author, number in self.seen.items():
            entries += self.world.logs[author][:number]
        return entries

    def step(self) -> None:
        try:
            for action in self.participant.step(self.view(), self.world.now, self.held):
                self.maybe_crash()
                self.execute(action)
                self.maybe_crash()
        except Crashed:
            self.restart()

    def maybe_crash(self) -> None:
        """A point before or after an action; `crash_points` are counted from 1."""
        self.points += 1
        if self.points in self.crash_points or self.world.random.random() < self.crash_odds:
            raise Crashed

    def execute(self, action: Action) -> None:
        match action:
            case Persist(state):
                self.states.append(state)
            case Erase():
                del self.states[:-1]
            case Installed():
                self.installed.append(action)
            case Append(entry):
                # The rule that makes a crash harmless.
                assert any(entry in decided_entries(state) for state in self.states)
                for body in self.twist(parse_body(entry)):
                    self.world.append(self.name, body.encode(int(self.world.now)))

    def restart(self) -> None:
        self.restarts += 1
        state = self.states[-1] if self.states else None
        self.participant = self.world.participant(self.name, state)

    def lose_disk(self) -> None:
        """Its secrets are gone, its log is fetched back from the others."""
        self.states.clear()
        self.restart()

    @property
    def state(self) -> ParticipantState:
        """What is on its disk."""
        return ParticipantState.from_bytes(self.states[-1])

    def published(self, kind: type[Body]) -> int:
        """How many entries of a kind stand in its log."""
        return sum(isinstance(entry.body, kind) for entry in self.world.logs[self.name])


def decided_entries(state: bytes) -> tuple[bytes, ...]:
    return ParticipantState.from_bytes(state).entries


class World:
    def __init__(
        self,
        size: int,
        threshold: int,
        seed: int = 0,
        timing: Timing = QUICK,
        names: tuple[str, ...] | None = None,
        former: tuple[int, int] | None = None,
    ) -> None:
        """size, threshold, names: of the receivers. former: size and threshold of the dealers in a resharing."""
        self.random = random.Random(seed)
        self.timing = timing
        self.context = make_context(size, threshold)
        held: list[SecretShares] = []
        if former:
            keys, held = shared_keys(*former, self.random.randbytes)
            dealers = Former(custodians(former[0]), former[1], keys)
            self.context = replace(self.context, epoch=2, custodians=names or custodians(size), former=dealers)
        self.now = 1_700_000_000.0
        self.checks = Checks()
        names = self.context.members
        self.logs: dict[str, list[CeremonyEntry]] = {name: [] for name in names}
        self.raw: dict[str, list[bytes]] = {name: [] for name in names}
        self.nodes = [Node(self, name, self.participant(name)) for name in names]
        for node in self.nodes:
            node.seen = {name: 0 for name in names if name != node.name}
            node.held = held[node.dealer - 1] if held and node.dealer else None

    def participant(self, name: str, state: bytes | None = None) -> Participant:
        return Participant(self.context, name, self.random.randbytes, self.timing, state)

    def node(self, number: int) -> Node:
        """By place, from 1, among dealers, then those who only receive; where all do both that is their index."""
        return self.nodes[number - 1]

    def named(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def append(self, author: str, raw: bytes) -> None:
        entry = read_entry(author, len(self.raw[author]), raw)
        assert entry is not None
        self.logs[author].append(entry)
        self.raw[author].append(raw)

    def entries(self) -> list[CeremonyEntry]:
        return [entry for log in self.logs.values() for entry in log]

    def replay(self) -> Ceremony:
        """What somebody without secrets sees who has all the logs."""
        return replay(self.context, self.entries(), self.checks)

    def run(
        self, away: Collection[int] = (), seconds: float = 3600.0, until: Callable[[Ceremony], bool] | None = None
    ) -> Ceremony:
        """Delivers in random order, lets time pass where nothing else happens, until nothing more will."""
        online = [node for number, node in enumerate(self.nodes, 1) if number not in away]
        end = self.now + seconds
        while self.now < end and not (until and until(self.replay())):
            before = self._progress()
            for node in self.random.sample(online, len(online)):
                node.step()
            deliveries = [
                (node, author)
                for node in online
                for author, number in node.seen.items()
                if number < len(self.raw[author])
            ]
            if deliveries:
                for node, author in self.random.sample(deliveries, self.random.randint(1, len(deliveries))):
                    node.seen[author] += 1
                self.now += self.random.random() * 0.1
            elif self._progress() == before:
                due = [node.participant.due for node in online if node.participant.due is not None]
                if not due:
                    break
                self.now = max(self.now, min(due))
        return self.replay()

    def _progress(self) -> int:
        return sum(map(len, self.raw.values())) + sum(node.restarts for node in self.nodes)
