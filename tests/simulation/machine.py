"""One member's machine: disks that last, and the node that runs on it, put together of the real parts.

`assembled` is the counterpart of `node.runtime.Node._serve`: whoever changes the one looks at the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from plimsoll.v1 import peer_pb2_grpc

from ledger.ceremony import Timing
from ledger.chain import Chain, Log, OwnLog
from ledger.cosignature import Cosigner
from ledger.dlog import Table
from ledger.errors import PlimsollError
from ledger.history import History
from ledger.manifest import Manifest
from ledger.note import Signer
from ledger.store import Store
from ledger.witness import Witness
from ledger.witnessed import Witnessed
from node.arrivals import Arrivals
from node.asking import Asking
from node.book import Book
from node.carrying import left_behind
from node.ceremonies import Ceremonies
from node.clock import Clock
from node.committer import Committer
from node.consortium import Consortium
from node.custodians import Custodians
from node.custody import Custody
from node.freezing import Freezing, set_strays_aside
from node.freshness import Freshness
from node.gossip import Gossip
from node.guard import SelfForkGuard
from node.keyring import Keyring
from node.links import Link
from node.pseudonyms import Pseudonyms
from node.reporting import Reporting
from node.services.peer import PeerService
from node.shelf import Shelf
from node.stores import log_names, own_stretches
from node.vault import Vault
from node.witnessing import Witnessing
from node.workers import Workers
from tests.simulation.disk import Disk, Drawer, Faults, Image
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network, Server
from tests.simulation.process import Process

START = 1_760_000_000
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
    chain: Chain
    gossip: Gossip
    committer: Committer
    custody: Custody
    asking: Asking
    reporting: Reporting
    server: Server
    background: Mapping[str, Coroutine[Any, Any, None]]

    @property
    def own(self) -> Log:
        """The log that this node writes."""
        return self.chain.log(self.process.member)


@dataclass
class Kinds:
    """Which classes a node is made of: a world that checks that it notices a broken node puts in its own."""

    gossip: type[Gossip] = Gossip
    committer: type[Committer] = Committer
    custody: type[Custody] = Custody
    own_log: type[OwnLog] = OwnLog
    guard: type[SelfForkGuard] = SelfForkGuard


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
        for name, work in parts.background.items():
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
    setting, keyring, clock, kinds = machine.setting, machine.keyring, machine.clock, machine.kinds
    manifest, member, network = setting.manifest, machine.member, setting.network
    rng = random.Random(f"{machine.rng.random()}").randbytes
    threads: Any = None  # the loop runs everything itself
    chain = _open_chain(machine.chain_disk.open(), manifest, member)
    book = Book(machine.book_disk.open(), keyring.book_key, rng)
    consortium = Consortium(member, History([manifest]))
    links = {
        other.name: Link(other.name, str(other.address), network.channel(process, other.name), clock)  # type: ignore[arg-type]
        for other in manifest.members
        if other.name != member
    }
    witnessed = Witnessed(chain.store, consortium.history)
    set_strays_aside(chain, witnessed)
    arrivals = Arrivals(manifest.policy.heads_seconds)
    for each in manifest.members:
        arrivals.found(chain.log(each.name).origin, chain.log(each.name).covered, clock.monotonic())
    own = partial(chain.log, member)
    signer = Signer.from_seed(manifest.origin(member), keyring.log_seed)
    guard = kinds.guard(len(manifest.members) - 1, machine.alone)
    interval = manifest.policy.gossip_seconds
    gossip = kinds.gossip(chain, member, links.values(), arrivals, guard, threads, interval, clock)
    first = partial(left_behind, chain, manifest, member)
    own_log = kinds.own_log(chain.log(member), signer)
    committer = kinds.committer(own_log, guard, gossip, arrivals, threads, clock, first)
    freezing = Freezing(consortium, chain, witnessed, gossip.problems, committer, threads, clock)
    cosigner = Cosigner.from_seed(manifest.cosigner_key(member).name, keyring.cosign_seed)
    witness = Witness(chain.store, chain, cosigner)
    witnessing = Witnessing(
        consortium,
        chain,
        signer,
        cosigner,
        witness,
        witnessed,
        links,
        gossip,
        guard,
        arrivals,
        freezing,
        threads,
        clock,
    )
    gossip.freezing, gossip.witnessing = freezing, witnessing
    freshness = Freshness(consortium, chain, arrivals, witnessed, clock)
    vault = Vault(Path("/nowhere"), keyring, manifest.consortium, rng, machine.drawer)
    ceremonies = Ceremonies(consortium, chain, vault, committer, threads, rng, QUICK, clock)
    custody = kinds.custody(consortium, chain, ceremonies, gossip, arrivals, threads, rng, freezing, clock)
    custodians = Custodians(consortium, custody, links)
    shelf = Shelf(consortium, keyring, own, book, lambda: own_stretches(chain, consortium.manifest, member))
    pseudonyms = Pseudonyms(consortium, own, shelf, custody, custodians, committer, threads, rng, clock)
    asking = Asking(
        consortium,
        chain,
        gossip,
        freshness,
        custody,
        custodians,
        pseudonyms,
        committer,
        setting.table,
        threads,
        freezing,
        clock,
    )
    reporting = Reporting(consortium, keyring, own, shelf, custody, pseudonyms, committer, Workers(1), rng, clock)
    server = Server(process)
    service = PeerService(chain, gossip, custody, witnessing)
    peer_pb2_grpc.add_PeerServiceServicer_to_server(service, server)  # type: ignore[arg-type]
    background = {"gossip": gossip.run()}
    if setting.full:
        background |= {
            "custody": custody.run(_nobody_told),
            "freezing": freezing.run(),
            "witnessing": witnessing.run(),
            "book": reporting.keep_book(),
        }
    return Parts(process, chain, gossip, committer, custody, asking, reporting, server, background)


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
