"""A running node: its parts, put together in one place, started and stopped in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import structlog
from plimsoll.v1 import audit_pb2_grpc, lender_pb2_grpc, operator_pb2_grpc, peer_pb2_grpc

from ledger import home as layout
from ledger.chain import Chain
from ledger.config import Config
from ledger.cosignature import Cosigner
from ledger.dlog import Table
from ledger.errors import PlimsollError
from ledger.history import History
from ledger.manifest import Manifest
from ledger.note import Signer
from ledger.store import Store
from ledger.witness import Witness
from ledger.witnessed import Witnessed
from node import table
from node.arrivals import Arrivals
from node.asking import Asking
from node.backups import Backups
from node.book import Book
from node.carrying import left_behind
from node.ceremonies import Ceremonies
from node.clock import Clock
from node.committer import Committer
from node.connections import Connections
from node.consortium import Consortium
from node.credentials import NodeIdentity
from node.custodians import Custodians
from node.custody import Custody
from node.disk import Disk
from node.freezing import Freezing, set_strays_aside
from node.freshness import Freshness
from node.gate import Gate
from node.gossip import Gossip
from node.governance import Governance
from node.guard import SelfForkGuard
from node.home import Home
from node.leveldb import MIB, LevelStore
from node.pseudonyms import Pseudonyms
from node.renewal import Renewal
from node.reporting import Reporting
from node.server import Server
from node.services.audit import AuditService
from node.services.lender import LenderService
from node.services.operator import OperatorService
from node.services.peer import PeerService
from node.shelf import Shelf
from node.state import State
from node.stores import log_names, own_stretches
from node.succession import Succession
from node.tls import Callers, Presented
from node.vault import Vault
from node.witnessing import Witnessing
from node.workers import Workers

log = structlog.get_logger()

#: Seconds that calls under way get when the node is told to stop.
GRACE = 3.0
#: Threads for verified writes and custodians' arithmetic, most of which is done without the interpreter's lock.
THREADS = 8

Rng = Callable[[int], bytes]


class Node:
    """One member's node. `home` is open, `identity` holds its unlocked secrets; `rng(n)` gives n random bytes."""

    def __init__(
        self,
        home: Home,
        identity: NodeIdentity,
        rng: Rng = os.urandom,
        clock: Clock | None = None,
        *,
        alone: bool = False,
    ) -> None:
        self._home = home
        self._identity = identity
        self._manifest = identity.manifest
        self._member = home.config.member
        self._rng = rng
        self._clock = clock or Clock()
        self._presented = Presented(identity.key, identity.certificate)
        self._alone = alone

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set. Raises PlimsollError where the node cannot start."""
        config, keyring = self._home.config, self._identity.keyring
        with (
            closing(self._store(layout.CHAIN, config.cache_mib)) as chain_store,
            closing(self._store(layout.BOOK, max(8, config.cache_mib // 8))) as book_store,
            ThreadPoolExecutor(THREADS, thread_name_prefix="node") as threads,
        ):
            chain = _open_chain(chain_store, self._manifest, self._member)
            book = Book(book_store, keyring.book_key, self._rng)
            workers = Workers(config.workers)
            disk = Disk([chain_store, book_store], config.reserve_mib * MIB)
            backups = Backups(self._home, chain_store, book_store, self._clock)
            consortium = Consortium(self._member, self._identity.lineage.history)
            connections = Connections(consortium, self._presented, self._clock)
            try:
                connections.follow()
                await self._serve(consortium, chain, book, disk, backups, connections, workers, threads, stop)
            finally:
                await connections.close()
                workers.close()
                # A store that is closed under a thread that is still at work in it takes the process down.
                threads.shutdown(cancel_futures=True)
                await asyncio.get_running_loop().shutdown_default_executor()

    def _store(self, name: str, cache_mib: int) -> LevelStore:
        return LevelStore(self._home.folder / name, cache_mib=cache_mib, reserve_mib=self._home.config.reserve_mib)

    async def _serve(
        self,
        consortium: Consortium,
        chain: Chain,
        book: Book,
        disk: Disk,
        backups: Backups,
        connections: Connections,
        workers: Workers,
        threads: ThreadPoolExecutor,
        stop: asyncio.Event,
    ) -> None:
        config, keyring, manifest, member = self._home.config, self._identity.keyring, self._manifest, self._member
        clock, links = self._clock, connections.links
        witnessed = Witnessed(chain.store, consortium.history, threading.Lock())
        set_strays_aside(chain, witnessed)
        arrivals = Arrivals(manifest.policy.heads_seconds)
        for each in manifest.members:
            arrivals.found(chain.log(each.name).origin, chain.log(each.name).covered, clock.monotonic())
        own = partial(chain.log, member)
        signer = Signer.from_seed(manifest.origin(member), keyring.log_seed)
        guard = SelfForkGuard(len(manifest.members) - 1, self._alone)
        interval = manifest.policy.gossip_seconds
        gossip = Gossip(chain, member, links.values(), arrivals, guard, threads, interval, clock)
        first = partial(left_behind, chain, manifest, member)
        committer = Committer(chain.own(signer), guard, gossip, arrivals, threads, clock, first)
        freezing = Freezing(consortium, chain, witnessed, gossip.problems, committer, threads, clock)
        cosigner = Cosigner.from_seed(manifest.cosigner_key(member).name, keyring.cosign_seed)
        witnessing = Witnessing(
            consortium,
            chain,
            signer,
            cosigner,
            Witness(chain.store, chain, cosigner, threading.Lock()),
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
        vault = Vault(self._home.folder, keyring, manifest.consortium, self._rng)
        ceremonies = Ceremonies(consortium, chain, vault, committer, threads, self._rng, clock=clock)
        custody = Custody(consortium, chain, ceremonies, gossip, arrivals, threads, self._rng, freezing, clock)
        custodians = Custodians(consortium, custody, links)
        shelf = Shelf(consortium, keyring, own, book, lambda: own_stretches(chain, consortium.manifest, member))
        pseudonyms = Pseudonyms(consortium, own, shelf, custody, custodians, committer, threads, self._rng, clock)
        dlog_table = await asyncio.to_thread(_load_table, config)
        asking = Asking(
            consortium,
            chain,
            gossip,
            freshness,
            custody,
            custodians,
            pseudonyms,
            committer,
            dlog_table,
            threads,
            freezing,
            clock,
        )
        reporting = Reporting(
            consortium, keyring, own, shelf, custody, pseudonyms, committer, workers, self._rng, clock
        )
        renewal = Renewal(self._home, consortium, keyring, self._presented, connections, clock)
        state = State(
            self._home.folder,
            consortium,
            chain,
            book,
            links,
            gossip,
            freshness,
            freezing,
            ceremonies,
            guard,
            disk,
            reporting,
            renewal,
        )

        callers = Callers(manifest, config.revoked)
        succession = Succession(consortium, chain, callers, connections, gossip, ceremonies, arrivals, clock)

        async def succeeded(history: History) -> None:
            succession.follow(history)

        governance = Governance(
            self._home,
            self._identity.lineage,
            chain,
            committer,
            succeeded,
            threads,
            resharing=lambda: ceremonies.under_way,
            limit=lambda origin: witnessed.size(origin) if chain.frozen(origin) else None,
            clock=clock,
        )
        gate = Gate(member, callers.identify)
        server = Server(gate, connections.server_credentials(), str(config.listen))
        peer_pb2_grpc.add_PeerServiceServicer_to_server(PeerService(chain, gossip, custody, witnessing), server.grpc)
        audit_pb2_grpc.add_AuditServiceServicer_to_server(AuditService(chain, lambda: governance.lineage), server.grpc)
        lender_pb2_grpc.add_LenderServiceServicer_to_server(LenderService(asking, reporting), server.grpc)
        operator_pb2_grpc.add_OperatorServiceServicer_to_server(
            OperatorService(state, backups, governance), server.grpc
        )
        await server.start()
        log.info("started", member=member, listen=str(config.listen), consortium=manifest.consortium.hex())
        background = [
            asyncio.create_task(gossip.run(), name="gossip"),
            asyncio.create_task(custody.run(server.serving), name="custody"),
            asyncio.create_task(freezing.run(), name="freezing"),
            asyncio.create_task(witnessing.run(), name="witnessing"),
            asyncio.create_task(reporting.keep_book(), name="book"),
            asyncio.create_task(disk.run(), name="disk"),
            asyncio.create_task(governance.run(), name="governance"),
            asyncio.create_task(renewal.run(), name="renewal"),
        ]
        beginning = asyncio.create_task(committer.begin())
        try:
            await _until(stop, background)
        finally:
            log.info("stopping")
            await server.stop(GRACE)
            for task in (*background, beginning):
                task.cancel()
            await asyncio.gather(*background, beginning, return_exceptions=True)


async def _until(stop: asyncio.Event, background: list[asyncio.Task[None]]) -> None:
    """Waits for the word to stop; a background task that ends by itself has failed, and the node with it."""
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([waiting, *background], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in done - {waiting}:
        error = task.exception()
        if error is not None:
            raise error
        raise PlimsollError("STOPPED", f"{task.get_name()} ended by itself")


def _open_chain(store: Store, manifest: Manifest, member: str) -> Chain:
    """All logs. A replica that has rotted is begun anew and fetched from its author and the other members again.

    Raises Unverified where this member's own log has rotted: that is for a person to look at.
    """
    chain = Chain(store, log_names(manifest), new_lock=threading.RLock)
    for origin, error in chain.damaged.items():
        if origin == manifest.origin(member):
            raise error.under(origin)
        log.error("a replica is damaged and will be fetched again", origin=origin, why=str(error))
        chain.forget(origin)
    return chain


def _load_table(config: Config) -> Table:
    """The public table; built first where this machine has none, which takes half a minute."""
    return table.load(None if config.table is None else Path(config.table))


def run(home: Home, identity: NodeIdentity, *, alone: bool = False) -> None:
    """Runs a node until SIGTERM or SIGINT. alone: see SelfForkGuard."""

    # Calls into libsodium and LevelDB let go of the interpreter; by default they may wait 5 ms to get it back.
    sys.setswitchinterval(0.0005)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stop.set)
        await Node(home, identity, alone=alone).run(stop)

    with suppress(KeyboardInterrupt):
        asyncio.run(main())
