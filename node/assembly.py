"""A node's parts, put together: those that think, without files, sockets and signals, which `node.runtime` adds.

The simulation puts together the same parts over its own network, clock and disks, so that there is one order of things.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

from ledger.ceremony import Timing
from ledger.chain.chain import Chain, Log
from ledger.crypto.dlog import Table
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import Signer
from ledger.witnessing.settled import Settled
from ledger.witnessing.witness import Witness
from ledger.witnessing.witnessed import Witnessed
from node.chain.arrivals import Arrivals
from node.chain.carrying import left_behind
from node.chain.committer import Committer
from node.chain.freezing import Freezing, heal_witnessed, set_strays_aside
from node.chain.freshness import Freshness
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.chain.witnessing import Witnessing
from node.challenges.answering import Answering
from node.challenges.doubting import Doubting
from node.challenges.proving import Proving
from node.challenges.settling import Settling
from node.clock import Clock
from node.consortium import Consortium
from node.custody.ceremonies import Ceremonies
from node.custody.custodians import Custodians
from node.custody.custody import Custody
from node.custody.vault import Vault
from node.homes.keyring import Keyring
from node.lending.asking import Asking
from node.lending.book import Book
from node.lending.disclosing import Disclosing
from node.lending.guarding import FeedGuard
from node.lending.pseudonyms import Pseudonyms
from node.lending.quotas import Allowance
from node.lending.reporting import Reporting
from node.lending.shelf import Shelf
from node.lending.workers import Workers
from node.monitoring.watchlist import Watchlist
from node.upkeep.stores import own_stretches
from node.wire.links import Link


@dataclass(frozen=True)
class Foundation:
    """What a node stands on.

    links: to every other member, as they are at any time. executor: for verified writes and arithmetic. rng(n): n
    random bytes. timing: of key ceremonies; alone: see SelfForkGuard.
    """

    consortium: Consortium
    keyring: Keyring
    chain: Chain
    book: Book
    vault: Vault
    links: Mapping[str, Link]
    table: Table
    workers: Workers
    executor: Executor
    rng: Callable[[int], bytes]
    clock: Clock
    timing: Timing | None = None
    alone: bool = False
    guard: FeedGuard | None = None
    watchlist: Watchlist | None = None


class Assembly:
    """A node's parts over a foundation, in the order in which they rest on each other."""

    def __init__(self, on: Foundation) -> None:
        """Raises what opening the stores' contents raises."""
        consortium, chain, links = on.consortium, on.chain, on.links
        executor, rng, clock = on.executor, on.rng, on.clock
        manifest, member = consortium.manifest, consortium.member
        own = partial(chain.log, member)
        signer = Signer.from_seed(manifest.origin(member), on.keyring.log_seed)
        cosigner = Cosigner.from_seed(manifest.cosigner_key(member).name, on.keyring.cosign_seed)
        self.chain = chain
        self.witnessed = witnessed = Witnessed(chain.store, consortium.history, threading.Lock())
        heal_witnessed(chain, witnessed)
        set_strays_aside(chain, witnessed, manifest)
        self.arrivals = arrivals = Arrivals(manifest.policy.heads_seconds)
        for held in (chain.log(each.name) for each in manifest.members):
            arrivals.found(held.origin, held.covered, clock.monotonic())
        self.guard = guard = SelfForkGuard(len(manifest.members) - 1, on.alone)
        interval = manifest.policy.gossip_seconds
        self.gossip = gossip = Gossip(chain, member, links.values(), arrivals, guard, executor, interval, clock)
        first = partial(left_behind, chain, manifest, member, on.keyring)
        self.committer = committer = Committer(chain.own(signer), guard, gossip, arrivals, executor, clock, first)
        self.freezing = freezing = Freezing(consortium, chain, witnessed, gossip.problems, committer, executor, clock)
        witness = Witness(chain.store, chain, cosigner, threading.Lock())
        self.witnessing = Witnessing(
            consortium, chain, signer, cosigner, witness, witnessed, links, gossip, guard, arrivals, freezing, executor,
            clock,
        )  # fmt: skip
        gossip.freezing, gossip.witnessing = freezing, self.witnessing
        self.freshness = Freshness(consortium, chain, arrivals, witnessed, clock)
        self.ceremonies = Ceremonies(
            consortium, chain, on.vault, committer, executor, rng, on.timing, clock,
            settled=self._settled(Settled(witnessed)), hurry=self.witnessing.hurry,
        )  # fmt: skip
        self.custody = custody = Custody(
            consortium, chain, self.ceremonies, gossip, arrivals, executor, rng, freezing, clock
        )
        custodians = Custodians(consortium, custody, links)
        shelf = Shelf(consortium, on.keyring, own, on.book, lambda: own_stretches(chain, consortium.manifest, member))
        self.disclosing = Disclosing(consortium, on.keyring, chain, shelf, custody, witnessed, executor)
        pseudonyms = Pseudonyms(consortium, own, shelf, custody, custodians, committer, executor, rng, clock)
        self.proving = Proving(consortium, on.keyring, chain, custody, freezing, executor, rng, clock)
        self.doubting = Doubting(consortium, chain, custody, links, committer, executor, rng, clock)
        self.answering = Answering(consortium, chain, self.proving, committer, executor, clock)
        self.asking = Asking(
            consortium, chain, gossip, self.freshness, custody, custodians, pseudonyms, committer, on.table, executor,
            freezing, clock, Settling(witnessed), self.doubting.suspect, Allowance(own, executor, clock),
        )  # fmt: skip
        self.reporting = Reporting(
            consortium, on.keyring, own, shelf, custody, pseudonyms, committer, on.workers, rng, clock, on.guard
        )

    @property
    def alerts(self) -> list[str]:
        """What a person should look at; docs/operations.md has a section for each."""
        alerts = [f"{origin}: {why}" for origin, why in self.gossip.problems.items()]
        alerts += self.freezing.alerts() + self.answering.alerts
        alerts += self.witnessing.unasked.alerts()
        if self.ceremonies.lost:
            alerts.append("this custodian has lost its shares of the keys and cannot help to decrypt: refresh them")
        return alerts

    def _settled(self, settled: Settled) -> Callable[[Log], int]:
        """How much of a log is settled; of one's own no more than others have been told, as they would be behind, and
        could not yet answer under keys that are final here."""

        def size(held: Log) -> int:
            known, told = settled.size(held), self.witnessing.told(held.origin)
            return known if told is None else min(known, told)

        return size

    def counted(self, origin: str) -> int | None:
        """How many entries of a frozen log count; None for a log that is not frozen."""
        return self.witnessed.size(origin) if self.chain.frozen(origin) else None

    def background(self, serving: Callable[[bool], Coroutine[Any, Any, None]]) -> dict[str, Coroutine[Any, Any, None]]:
        """What runs for as long as the node does, by name; where one of them ends, the node has failed.

        serving: told once the keys are there.
        """
        return {
            "gossip": self.gossip.run(),
            "custody": self.custody.run(serving),
            "freezing": self.freezing.run(),
            "witnessing": self.witnessing.run(),
            "doubting": self.doubting.run(),
            "answering": self.answering.run(),
            "book": self.reporting.keep_book(),
            "beginning": _and_stay(self.committer.begin()),
        }


async def _and_stay(work: Coroutine[Any, Any, None]) -> None:
    """For what is done once."""
    await work
    await asyncio.Event().wait()
