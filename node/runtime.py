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
from pathlib import Path

import structlog
from plimsoll.v1 import audit_pb2_grpc, lender_pb2_grpc, operator_pb2_grpc, peer_pb2_grpc

from ledger.chain.chain import Chain
from ledger.chain.store import Store
from ledger.consortium.manifest import Manifest
from ledger.crypto.dlog import Table
from ledger.errors import PlimsollError
from ledger.homes import home as layout
from ledger.homes.config import Config
from ledger.tlog.cosignature import Cosigner
from node import table
from node.assembly import Assembly, Foundation
from node.clock import Clock
from node.consortium import Consortium
from node.custody.vault import Vault
from node.governance import Governance
from node.homes.credentials import NodeIdentity
from node.homes.home import Home
from node.homes.renewal import Renewal
from node.lending.book import Book
from node.lending.deciding import Deciding
from node.lending.guarding import FeedGuard
from node.lending.quarantine import Quarantine
from node.lending.workers import Workers
from node.monitoring.desk import WatchDesk
from node.monitoring.monitoring import Monitoring
from node.monitoring.notifying import Notifying
from node.monitoring.watchlist import Watchlist
from node.services.audit import AuditService
from node.services.lender import LenderService
from node.services.operator import OperatorService
from node.services.peer import PeerService
from node.state import Alerting, State
from node.succession import Succession
from node.successions import Successions
from node.upkeep.backups import Backups
from node.upkeep.disk import Disk
from node.upkeep.leveldb import MIB, LevelStore
from node.upkeep.stores import log_names
from node.wire.connections import Connections
from node.wire.gate import Gate
from node.wire.server import Server
from node.wire.tally import Tally
from node.wire.tls import Callers, Presented

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
            workers = Workers(config.workers)
            consortium = Consortium(self._home.config.member, self._identity.lineage.history)
            connections = Connections(consortium, self._presented, self._clock)
            try:
                connections.follow()
                foundation = Foundation(
                    consortium=consortium,
                    keyring=keyring,
                    chain=_open_chain(chain_store, consortium.manifest, consortium.member),
                    book=Book(book_store, keyring.book_key, self._rng),
                    vault=Vault(self._home.folder, keyring, consortium.id, self._rng),
                    links=connections.links,
                    table=await asyncio.to_thread(_load_table, config),
                    workers=workers,
                    executor=threads,
                    rng=self._rng,
                    clock=self._clock,
                    alone=self._alone,
                    guard=FeedGuard(
                        Quarantine(book_store, keyring.book_key, self._rng), self._home.folder / layout.FEED_GUARD
                    ),
                    watchlist=Watchlist(book_store, keyring.book_key, self._rng),
                )
                disk = Disk([chain_store, book_store], config.reserve_mib * MIB)
                backups = Backups(self._home, chain_store, book_store, self._clock)
                await self._serve(foundation, connections, disk, backups, stop)
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
        foundation: Foundation,
        connections: Connections,
        disk: Disk,
        backups: Backups,
        stop: asyncio.Event,
    ) -> None:
        config, consortium, clock = self._home.config, foundation.consortium, self._clock
        parts = Assembly(foundation)
        callers = Callers(consortium.manifest, config.revoked)
        succession = Succession(consortium, callers, connections, parts, clock)
        governance = Governance(
            self._home,
            self._identity.lineage,
            parts.chain,
            parts.committer,
            succession.follow,
            foundation.executor,
            resharing=lambda: parts.ceremonies.under_way,
            limit=parts.counted,
            clock=clock,
        )
        renewal = Renewal(self._home, consortium, foundation.keyring, self._presented, connections, clock)
        alerting: list[Alerting] = [disk, parts, governance, renewal]
        if foundation.guard is not None:
            alerting.append(foundation.guard)
        state = State(self._home.folder, consortium, foundation.book, connections.links, parts, disk, alerting)

        tally = Tally()
        http = None
        if config.web is not None or config.metrics is not None:
            from node.web.start import Ground, Http  # a node without HTTP starts without it

            cosigner = Cosigner.from_seed(
                consortium.manifest.cosigner_key(consortium.member).name, foundation.keyring.cosign_seed
            )
            http = Http(
                Ground(
                    self._home.folder, config, consortium, clock, parts, callers, connections, state,
                    lambda: governance.lineage, disk.stores, tally, cosigner,
                )
            )  # fmt: skip
            alerting.append(http)
        gate = Gate(consortium.member, callers.identify, note=tally.note)
        server = Server(gate, connections.server_credentials(), str(config.listen))
        successions = Successions(governance, clock)
        parts.gossip.on_manifest = successions.heard
        peer = PeerService(
            parts.chain, parts.gossip, parts.custody, parts.witnessing, lambda: governance.lineage, parts.proving
        )
        peer_pb2_grpc.add_PeerServiceServicer_to_server(peer, server.grpc)
        outside = {} if http is None or http.outside is None else {"outside": http.outside.with_lines}
        audit = AuditService(parts.chain, lambda: governance.lineage, parts.witnessed, **outside)
        audit_pb2_grpc.add_AuditServiceServicer_to_server(audit, server.grpc)
        deciding = Deciding(consortium, parts.asking, self._home.folder / layout.DECISION, clock)
        monitoring, notifying = self._watching(foundation, parts, deciding)
        alerting += [monitoring, notifying]
        desk = WatchDesk(monitoring, foundation.book.has_loan, lambda: consortium.manifest.time_zone, clock, self._rng)
        lender = LenderService(parts.asking, parts.reporting, deciding, parts.disclosing, desk)
        lender_pb2_grpc.add_LenderServiceServicer_to_server(lender, server.grpc)
        operator = OperatorService(state, backups, governance, parts.reporting)
        operator_pb2_grpc.add_OperatorServiceServicer_to_server(operator, server.grpc)
        if http is not None:
            await http.start()
        await server.start()
        log.info("started", member=consortium.member, listen=str(config.listen), consortium=consortium.id.hex())
        running = {
            **parts.background(server.serving),
            "disk": disk.run(),
            "governance": governance.run(),
            "successions": successions.run(),
            "renewal": renewal.run(),
            "monitoring": monitoring.run(),
            "notifying": notifying.run(),
            **({} if http is None else http.background()),
        }
        background = [asyncio.create_task(work, name=name) for name, work in running.items()]
        try:
            await _until(stop, background)
        finally:
            log.info("stopping")
            await asyncio.gather(server.stop(GRACE), *([] if http is None else [http.stop()]))
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)

    def _watching(self, foundation: Foundation, parts: Assembly, deciding: Deciding) -> tuple[Monitoring, Notifying]:
        """What asks about borrowers by itself, and what tells of it."""
        watchlist, consortium = foundation.watchlist, foundation.consortium
        assert watchlist is not None
        home, policy = self._home.folder, self._home.folder / layout.WATCH
        monitoring = Monitoring(
            consortium,
            watchlist,
            parts.asking.exposure,
            foundation.book.has_loan,
            deciding.policy_for,
            policy,
            self._clock,
        )
        notifying = Notifying(consortium, watchlist, home, policy, self._clock)
        monitoring.on_events = notifying.kick
        return monitoring, notifying


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
