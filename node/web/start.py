"""The node's HTTP, put together as config.toml has it: imported only where it asks for any."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from ledger.consortium.lineage import Lineage
from ledger.errors import InvalidInput
from ledger.homes.config import Config
from ledger.homes.web import Web
from ledger.tlog.checkpoint import SignedHead
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.tlog_witness import ForeignWitness
from node.assembly import Assembly
from node.clock import Clock
from node.consortium import Consortium
from node.lending.quotas import Used
from node.state import State
from node.upkeep.leveldb import LevelStore
from node.web.contexts import Contexts
from node.web.metrics import Facts, Metrics
from node.web.outside import Outside
from node.web.publication import checkpoint
from node.web.server import WebServer
from node.web.site import COSTS, Site, metrics_only
from node.wire.connections import Connections
from node.wire.limits import Parties
from node.wire.tally import Tally
from node.wire.tls import Callers

log = structlog.get_logger()


@dataclass(frozen=True)
class Ground:
    """What HTTP stands on. cosign_seed: of this member's cosigning key, for logs elsewhere."""

    folder: Path
    config: Config
    consortium: Consortium
    clock: Clock
    parts: Assembly
    callers: Callers
    connections: Connections
    state: State
    lineage: Callable[[], Lineage]
    stores: Sequence[LevelStore]
    tally: Tally
    cosigner: Cosigner


class Http:
    """All of it. To be used from the event loop's thread."""

    def __init__(self, on: Ground) -> None:
        """Raises InvalidInput for what config.toml says and is not so."""
        self._on = on
        config, web = on.config, on.config.web
        self.outside = None if web is None or not web.witnesses else self._outside(web)
        used = Used(lambda: on.parts.chain.log(config.member))
        ages = dict if self.outside is None else self.outside.ages
        consortium, stores = on.consortium, {store.name: store for store in on.stores}
        facts = Facts(
            consortium, on.connections, on.parts.freshness, on.state.describe, stores, on.tally, used, ages, on.clock
        )
        self._metrics = Metrics(facts)
        self._servers: list[WebServer] = []
        if web is not None and web.listen is not None:
            self._servers.append(self._site(web))
        if config.metrics is not None:
            parties = Parties("", time.monotonic)
            self._servers.append(WebServer(config.metrics, metrics_only(self._metrics.render), parties))

    @property
    def alerts(self) -> list[str]:
        """What a person should look at."""
        return [] if self.outside is None else self.outside.alerts

    async def start(self) -> None:
        """Listens. Raises Unready (CANNOT_LISTEN)."""
        for server in self._servers:
            await server.start()

    def background(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What runs for as long as the node does, by name."""
        serving = {f"http {number}": server.run() for number, server in enumerate(self._servers)}
        return serving if self.outside is None else {**serving, "outside witnesses": self.outside.run()}

    async def stop(self) -> None:
        """Takes no more, and ends what is under way."""
        await asyncio.gather(*(server.stop() for server in self._servers))

    def _site(self, web: Web) -> WebServer:
        on, parts = self._on, self._on.parts
        assert web.listen is not None
        site = Site(
            on.config.member,
            parts.chain,
            parts.witnessed,
            on.lineage,
            parts.witnessing.extend,
            self._foreign(web),
            self._metrics.render,
            self.outside,
            on.clock.unix,
        )
        contexts = Contexts(lambda: (on.consortium.manifest, on.connections.presented), strangers=bool(web.witness_for))
        return WebServer(
            web.listen,
            site.answer,
            Parties(on.config.member, time.monotonic),
            context=None if web.plain else contexts.current,
            identify=on.callers.identify,
            costs=lambda path: COSTS.get(path, 1.0),
        )

    def _foreign(self, web: Web) -> ForeignWitness | None:
        """Raises InvalidInput for a log of this consortium: what is cosigned of these is remembered elsewhere."""
        own = f"plimsoll/{self._on.consortium.id.hex()}/"
        for place, key in enumerate(web.witness_for):
            if key.name.startswith(own):
                path = f"config.toml.web.witness_for[{place}].log"
                raise InvalidInput("OWN_LOG", "members' logs are cosigned without being listed here", path)
        if not web.witness_for:
            return None
        return ForeignWitness(self._on.parts.chain.store, web.witness_for, self._on.cosigner, threading.Lock())

    def _outside(self, web: Web) -> Outside:
        on, parts, member = self._on, self._on.parts, self._on.config.member

        def head() -> SignedHead | None:
            held = parts.chain.log(member)
            if parts.chain.frozen(held.origin):
                return None
            return checkpoint(held, parts.witnessed.newest(held.origin), on.clock.unix())

        return Outside(
            web.witnesses,
            on.folder,
            lambda: parts.chain.log(member),
            head,
            lambda: on.consortium.manifest.policy.heartbeat_seconds,
            on.clock,
        )
