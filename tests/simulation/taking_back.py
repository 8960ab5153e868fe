"""Worlds in which a member says what decides something to half of the others, and something else to the rest.

Both begin with nothing wrong. Then the member's disk is copied, and each of its two machines goes on with what half of
the others see, who for a while do not see each other: the one gives the approval that a successor of the manifest
lacks, or the confirmation that keys lack, the other does not. In the end nobody honest may be left with another
manifest, or other keys, than the rest.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from plimsoll.v1 import entry_pb2

from ledger.ceremony.entry import ConfirmationEntry, read_entry
from ledger.ceremony.qualification import GIVEN_UP
from ledger.consortium.ballot import Vote, approval_entry
from ledger.consortium.history import History
from ledger.consortium.lineage import Lineage
from ledger.consortium.manifest import Manifest
from ledger.consortium.succession import approvals_needed
from node.chain.committer import Committer
from node.governance import Governance
from node.succession import Succession
from node.successions import Successions
from tests.ledger.electorate import renamed
from tests.simulation import world as worlds
from tests.simulation.invariants import HEADS, Violation
from tests.simulation.machine import START, Machine, Parts
from tests.simulation.plan import Plan
from tests.simulation.remembered import remembered
from tests.simulation.villains import Unashamed
from tests.simulation.world import CONVERGE, Outcome, World, after_ceremony


class _Home:
    """Where a lineage is kept, and whose it is."""

    def __init__(self, machine: GovernedMachine) -> None:
        self.config = self
        self.member = machine.member
        self._machine = machine

    def store_lineage(self, lineage: Lineage) -> None:
        self._machine.lineage = lineage


class _Connections:
    """Members stay where they are."""

    def __init__(self, parts: Parts) -> None:
        self.links = {name: peer.link for name, peer in parts.gossip._peers.items()}

    def follow(self, *_: object) -> None:
        """Nothing changes."""


class GovernedMachine(Machine):
    """With the parts of a node that change the manifest, which others do without. Not to be started again once it has
    gone over to a successor."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.lineage = Lineage(b"", History([self.setting.manifest]), ())
        self.governance: Any = None

    def start(self) -> bool:
        if not super().start():
            return False
        parts = self.node
        assert parts is not None
        assembly, connections = parts.assembly, _Connections(parts)
        consortium: Any = assembly.ceremonies._consortium
        succession = Succession(consortium, connections, connections, assembly, self.clock)  # type: ignore[arg-type]
        self.governance = Governance(
            _Home(self),  # type: ignore[arg-type]
            self.lineage,
            parts.chain,
            assembly.committer,
            succession.follow,
            None,  # type: ignore[arg-type]  # the loop runs everything itself
            limit=assembly.counted,
            clock=self.clock,
        )
        governance = self.governance
        successions = Successions(governance, self.clock)
        assembly.gossip.on_manifest = successions.heard
        parts.server.handler(HEADS).unary_unary.__self__._lineage = lambda: governance.lineage
        for name, work in (("governance", governance.run()), ("successions", successions.run())):
            parts.process.start(work, name).add_done_callback(lambda task: self._ended(parts.process, task))
        return True


class PartingWorld(World):
    """machine, twin: the culprit's. left, right: whom each of them reaches."""

    machines: dict[str, Any]
    kind = ""

    def __init__(self, seed: int) -> None:
        self.rng_of_plan = rng = random.Random(f"{self.kind} {seed}")
        members = rng.choice((3, 3, 4, 5))
        culprit = f"lender-{rng.randint(1, members)}"
        plan = Plan(seed, members, 0.0, ceremony=self.kind == "confirmation", culprit=culprit)
        images = None if plan.ceremony else after_ceremony(members)
        with patch.object(worlds, "Machine", GovernedMachine):
            super().__init__(plan, images=images)
        self.machine = self.machines[culprit]
        others = [member for member in self.machines if member != culprit]
        rng.shuffle(others)
        half = rng.randint(1, len(others) - 1)
        self.left, self.right = frozenset(others[:half]), frozenset(others[half:])

    def part(self) -> GovernedMachine:
        """From here on there are two of them, and two halves of the others, who see nothing of each other. The twin."""
        machine, culprit = self.machine, self.plan.culprit
        machine.crash()
        twin = GovernedMachine(
            machine.setting, culprit, machine.keyring, random.Random(self.plan.seed), machine.images()
        )
        twin.on_background = machine.on_background
        twin.kinds.committer = self.twin_committer
        self.twins[culprit] = twin
        for each, callers in ((machine, self.left), (twin, self.right)):
            each.callers, each.alone, each.kinds.gossip = callers, True, Unashamed
            each.start()
        cut = {(one, other) for one in self.left for other in self.right}
        self.network.weather.cut |= cut | {(other, one) for one, other in cut}
        self.trace.say("world", "parts", *sorted(self.left))
        return twin

    twin_committer: type[Committer] = Committer

    async def _play(self) -> None:
        for machine in self.machines.values():
            self._start(machine)
        ticking = asyncio.create_task(self._tick())
        await self.take_back()
        await asyncio.sleep(self.rng_of_plan.uniform(0.0, 12.0))
        self.network.weather.cut.clear()
        self._healed = True
        self.trace.say("world", "meets")
        await self._until_agreed()
        ticking.cancel()

    async def take_back(self) -> None:
        raise NotImplementedError

    def apart(self) -> str:
        raise NotImplementedError

    async def _until_agreed(self) -> None:
        """All honest nodes know of the fork, and are of one mind, and stay so."""
        origin, end, agreed = self.manifest.origin(self.plan.culprit), self.loop.now + CONVERGE, 0
        why = ""
        while agreed < 20 and self.loop.now < end:
            await asyncio.sleep(0.5)
            nodes = self.nodes()
            unaware = [member for member in nodes if not nodes[member].chain.frozen(origin)]
            why = f"{unaware} do not know of the fork" if unaware else self.apart()
            agreed = 0 if why else agreed + 1
        if why:
            raise Violation(why)

    def nodes(self) -> dict[str, Parts]:
        """Of the honest members."""
        return {machine.member: machine.node for machine in self.honest if machine.node is not None}

    async def append(self, machine: GovernedMachine, entry: bytes) -> None:
        while await self.call(machine, lambda parts: parts.assembly.committer.append([entry])) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def decoy(rng: random.Random) -> bytes:
    evaluation = entry_pb2.Evaluation(count=1, epoch=1, batch_digest=rng.randbytes(32))
    return entry_pb2.Entry(time=START, evaluation=evaluation).SerializeToString()


class ApprovalWorld(PartingWorld):
    """One approval is missing, and the culprit gives it to one half."""

    kind = "approval"

    async def take_back(self) -> None:
        rng, after = self.rng_of_plan, renamed(self.manifest, "Another")
        honest: Sequence[Any] = self.honest
        await asyncio.sleep(5.0)
        await self.said(honest[0], lambda governance: governance.propose(after.text.encode()))
        for machine in honest[: approvals_needed(self.manifest, after) - 1]:
            await self.said(machine, lambda governance: governance.approve(after.id))
        await asyncio.sleep(rng.uniform(3.0, 8.0))
        twin = self.part()
        await asyncio.gather(self.approve(after, rng.uniform(0.0, 2.0)), self.append_later(twin, rng.uniform(0.0, 6.0)))
        self.counts["gone over"] += sum(machine.lineage.current.id == after.id for machine in honest)

    async def approve(self, after: Manifest, delay: float) -> None:
        await asyncio.sleep(delay)
        await self.append(self.machine, approval_entry(Vote(self.manifest.id, after.id), START))
        await asyncio.sleep(2.0)

    async def append_later(self, twin: GovernedMachine, delay: float) -> None:
        await asyncio.sleep(delay)
        await self.append(twin, decoy(self.rng_of_plan))

    async def said(self, machine: GovernedMachine, work: Any) -> None:
        """Until it is known here that it may be said."""
        outcome: object = None
        while not isinstance(outcome, int | tuple):
            await asyncio.sleep(0.5)
            outcome = await self.call(machine, lambda parts: work(machine.governance))

    def apart(self) -> str:
        sequences = {member: self.machines[member].lineage.current.sequence for member in self.nodes()}
        in_force = {parts.custody._consortium.manifest.id for parts in self.nodes().values()}
        return f"manifests are {sequences}" if len({*sequences.values()}) > 1 or len(in_force) > 1 else ""


class _Watched(Committer):
    """parting: told before a Confirmation is appended; it then never is, by this machine as it was."""

    parting: asyncio.Event

    async def append(self, entries: Sequence[bytes]) -> int:
        if any(_is_confirmation(entry) for entry in entries):
            self.parting.set()
            await asyncio.Event().wait()
        return await super().append(entries)


class _Denying(Committer):
    """Confirms nothing."""

    async def append(self, entries: Sequence[bytes]) -> int:
        return await super().append([_denied(entry) for entry in entries])


def _is_confirmation(raw: bytes) -> bool:
    entry = read_entry("", 0, raw)
    return entry is not None and isinstance(entry.body, ConfirmationEntry)


def _denied(raw: bytes) -> bytes:
    entry = read_entry("", 0, raw)
    if entry is None or not isinstance(entry.body, ConfirmationEntry):
        return raw
    return replace(entry.body, transcript=GIVEN_UP).encode(START)


class ConfirmationWorld(PartingWorld):
    """The culprit confirms what it has dealt with all others to one half, and gives the attempt up to the other."""

    kind = "confirmation"
    twin_committer = _Denying

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.parting = asyncio.Event()
        self.machine.kinds.committer = type("Watched", (_Watched,), {"parting": self.parting})

    async def take_back(self) -> None:
        async with asyncio.timeout(120.0):
            await self.parting.wait()
        self.machine.kinds.committer = Committer
        self.part()
        await asyncio.sleep(self.rng_of_plan.uniform(1.0, 15.0))

    def apart(self) -> str:
        stands = {member: self.stands(parts) for member, parts in self.nodes().items()}
        return f"ceremonies stand at {stands}" if len({*stands.values()}) > 1 else ""

    def stands(self, parts: Parts) -> tuple[bool, int, bool]:
        """Whether keys are final, how many attempts have failed, and whether its shares are there."""
        epochs = parts.assembly.ceremonies._epochs
        if epochs is None:
            return False, 0, False
        ceremony = epochs.ceremonies[1]
        return ceremony.keys is not None, len(ceremony.failed), 1 in parts.assembly.ceremonies.shares


def play(kind: type[PartingWorld], seed: int) -> Outcome:
    """One world."""
    with remembered():
        return kind(seed).run()
