"""One member's machine: disks that last, and the node that runs on it, put together of the real parts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from plimsoll.v1 import peer_pb2_grpc

from ledger.ceremony import Timing
from ledger.chain.chain import Chain, Log
from ledger.chain.store import Store
from ledger.consortium.history import History
from ledger.consortium.lineage import Lineage
from ledger.consortium.manifest import Manifest
from ledger.crypto.dlog import Table
from ledger.errors import PlimsollError
from node import assembly
from node.assembly import Assembly, Foundation
from node.chain.committer import Committer
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.chain.witnessing import Witnessing
from node.clock import Clock
from node.consortium import Consortium
from node.custody.custody import Custody
from node.custody.vault import Vault
from node.homes.keyring import Keyring
from node.lending.book import Book
from node.lending.workers import Workers
from node.services.peer import PeerService
from node.upkeep.stores import log_names
from node.wire.links import Link
from tests.simulation.disk import Disk, Drawer, Faults, Image
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network, Server
from tests.simulation.process import Process

START = 1_760_000_000
#: What runs where there are only logs.
LOGS_ONLY = ("gossip", "freezing", "witnessing", "beginning")
QUICK = Timing(close_wait=20, settle=3, reveal_wait=10, turn=1, retry_wait=5, max_retry_wait=60)


class VirtualClock(Clock):
    """The loop's time, and a wall clock that is off by `skew` seconds."""

    def __init__(self, loop: VirtualLoop, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self.skew = 0.0

    def unix(self) -> float:
        return START + self._loop.now + self.skew

    def monotonic(self) -> float:
        return self._loop.now

    def jittered(self, seconds: float, spread: float = 0.5) -> float:
        return seconds * self._rng.uniform(1 - spread, 1 + spread)


@dataclass
class Parts:
    """A running node's, as far as a world looks at them."""

    process: Process
    assembly: Assembly
    server: Server

    @property
    def chain(self) -> Chain:
        """All logs."""
        return self.assembly.chain

    @property
    def own(self) -> Log:
        """The log that this node writes."""
        return self.assembly.chain.log(self.process.member)

    @property
    def gossip(self) -> Gossip:
        """What it knows of others' logs."""
        return self.assembly.gossip

    @property
    def custody(self) -> Custody:
        """Keys and shares."""
        return self.assembly.custody


@dataclass
class Kinds:
    """Which classes a node is made of: a world that checks that it notices a broken node puts in its own."""

    gossip: type[Gossip] = Gossip
    committer: type[Committer] = Committer
    guard: type[SelfForkGuard] = SelfForkGuard
    witnessing: type[Witnessing] = Witnessing

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within, nodes are put together of these."""
        with (
            patch.object(assembly, "Gossip", self.gossip),
            patch.object(assembly, "Committer", self.committer),
            patch.object(assembly, "SelfForkGuard", self.guard),
            patch.object(assembly, "Witnessing", self.witnessing),
        ):
            yield


@dataclass(frozen=True)
class Setting:
    """What all machines of a world share. full: with custody, queries and feeds; otherwise logs and gossip only."""

    loop: VirtualLoop
    network: Network
    manifest: Manifest
    table: Table
    full: bool = True


class Machine:
    """on_start is told of every node that has been put together, before it runs; on_down of every crash."""

    def __init__(
        self,
        setting: Setting,
        member: str,
        keyring: Keyring,
        rng: random.Random,
        images: Mapping[str, Image | bytes | None] | None = None,
    ) -> None:
        images = images or {}
        self.setting = setting
        self.member = member
        self.keyring = keyring
        self.rng = rng
        self.faults = Faults(rng)
        self.faults.cut = self.crash
        self.clock = VirtualClock(setting.loop, rng)
        self.chain_disk = Disk(self.faults, rng, images.get("chain"))  # type: ignore[arg-type]
        self.book_disk = Disk(self.faults, rng, images.get("book"))  # type: ignore[arg-type]
        self.drawer = Drawer(self.faults, images.get("vault"))  # type: ignore[arg-type]
        self.kinds = Kinds()
        #: Mean seconds that a piece of executor work takes.
        self.pace = 0.0003
        self.alone = False
        self.starts = 0
        self.node: Parts | None = None
        self.on_start: Callable[[Machine, Parts], object] = lambda machine, parts: None
        self.on_down: Callable[[Machine], object] = lambda machine: None
        self.on_background: Callable[[Machine, BaseException | None], object] = lambda machine, error: None
        #: Who reaches this machine, and whom it reaches; None: everybody.
        self.callers: frozenset[str] | None = None

    @property
    def up(self) -> bool:
        return self.node is not None

    def images(self) -> dict[str, Image | bytes | None]:
        """What lies on its disks."""
        return {"chain": self.chain_disk.image(), "book": self.book_disk.image(), "vault": self.drawer.content}

    def restore(self, images: Mapping[str, Image | bytes | None]) -> None:
        """Another disk, with what a backup had: never a custodian's secrets, which are kept out of backups."""
        self.chain_disk = Disk(self.faults, self.rng, images.get("chain"))  # type: ignore[arg-type]
        self.book_disk = Disk(self.faults, self.rng, images.get("book"))  # type: ignore[arg-type]

    def start(self) -> bool:
        """Whether the node runs then: the power may be cut, or the disk fail, as it starts."""
        self.starts += 1
        self.drawer.locked = False
        process = Process(self.member, self.callers)
        try:
            parts = process.context.run(assembled, self, process)
        except PlimsollError:
            process.kill()
            self._power_off()
            return False
        self.node = parts
        self.on_start(self, parts)
        self.setting.network.serve(self.member, parts.server, self.callers)
        background = parts.assembly.background(_nobody_told)
        for name, work in background.items():
            if not self.setting.full and name not in LOGS_ONLY:
                work.close()
                continue
            process.start(work, name).add_done_callback(lambda task: self._ended(process, task))
        return True

    def crash(self) -> None:
        """Power off, at once."""
        node, self.node = self.node, None
        if node is not None:
            node.process.kill()
            self._power_off()
            self.on_down(self)
        else:
            self._power_off()

    def _power_off(self) -> None:
        self.chain_disk.power_off()
        self.book_disk.power_off()
        self.drawer.locked = True
        self.faults.cut_after = None

    def _ended(self, process: Process, task: Any) -> None:
        if process.alive:
            self.on_background(self, None if task.cancelled() else task.exception())


async def _nobody_told(serving: bool) -> None:
    """Health is not served here."""


def assembled(machine: Machine, process: Process) -> Parts:
    """The parts of one start. Raises what opening the disk raises."""
    setting, keyring, clock = machine.setting, machine.keyring, machine.clock
    manifest, member, network = setting.manifest, machine.member, setting.network
    rng = random.Random(f"{machine.rng.random()}").randbytes
    threads: Any = None  # the loop runs everything itself
    others = [other for other in manifest.members if other.name != member]
    links = {
        other.name: Link(other.name, str(other.address), network.channel(process, other.name), clock)  # type: ignore[arg-type]
        for other in others
    }
    foundation = Foundation(
        consortium=Consortium(member, History([manifest])),
        keyring=keyring,
        chain=_open_chain(machine.chain_disk.open(), manifest, member),
        book=Book(machine.book_disk.open(), keyring.book_key, rng),
        vault=Vault(Path("/nowhere"), keyring, manifest.consortium, rng, machine.drawer),
        links=links,
        table=setting.table,
        workers=Workers(1),
        executor=threads,
        rng=rng,
        clock=clock,
        timing=QUICK,
        alone=machine.alone,
    )
    with machine.kinds.in_place():
        parts = Assembly(foundation)
    server = Server(process)
    lineage = Lineage(b"", History([manifest]), ())
    service = PeerService(parts.chain, parts.gossip, parts.custody, parts.witnessing, lambda: lineage, parts.proving)
    peer_pb2_grpc.add_PeerServiceServicer_to_server(service, server)  # type: ignore[arg-type]
    return Parts(process, parts, server)


def _open_chain(store: Store, manifest: Manifest, member: str) -> Chain:
    """As node.runtime does it."""
    chain = Chain(store, log_names(manifest))
    for origin, error in chain.damaged.items():
        if origin == manifest.origin(member):
            raise error.under(origin)
        chain.forget(origin)
    return chain


def names(manifest: Manifest) -> Sequence[str]:
    """All members'."""
    return [member.name for member in manifest.members]
