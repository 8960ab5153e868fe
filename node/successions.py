"""Successors of the manifest that other nodes have in force and this node's logs do not show (protocol section 14).

An approval may stand in the part of a frozen log that counts for nobody who had not seen it before: whoever had has
gone over to the successor, the others never would. But what shows a succession stands alone: so a node that has gone
over shows it, and whoever lacks it verifies it and goes over as well. A peer says in each `Heads` which manifest it has
in force; only one that is not known here is asked about, one step at a time, of the peer that said so.
"""

from __future__ import annotations

import asyncio

import structlog

from ledger.consortium.manifest import MAX_SEQUENCE, Manifest
from ledger.errors import NotFound, PlimsollError
from node.clock import Clock
from node.governance import Governance
from node.wire.links import Link

log = structlog.get_logger()

TIMEOUT = 10.0
#: Seconds after which a peer is asked again that had nothing to show for what it said.
AGAIN = 30.0


class Successions:
    """To be used from the event loop's thread; `run` until cancelled."""

    def __init__(self, governance: Governance, clock: Clock | None = None) -> None:
        self._governance = governance
        self._clock = clock or Clock()
        self._said: dict[str, tuple[Link, bytes, int]] = {}
        self._not_before: dict[str, float] = {}
        self._news = asyncio.Event()

    def heard(self, link: Link, manifest: bytes, sequence: int) -> None:
        """A peer has this manifest in force, the one of this number, as it says."""
        if self._is_news(manifest, sequence) and self._clock.monotonic() >= self._not_before.get(link.member, 0.0):
            self._said[link.member] = link, manifest, sequence
            self._news.set()

    async def run(self) -> None:
        """Asks one peer after the other."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._said:
                link, manifest, sequence = self._said.pop(next(iter(self._said)))
                try:
                    await self._ask(link, manifest, sequence)
                except PlimsollError as error:
                    log.info("no succession", peer=link.member, manifest=manifest.hex(), why=str(error))
                except Exception as error:
                    log.error("no succession", peer=link.member, exc_info=error)
                if self._is_news(manifest, sequence):
                    self._not_before[link.member] = self._clock.monotonic() + AGAIN

    def _is_news(self, manifest: bytes, sequence: int) -> bool:
        known = self._governance.history.get(manifest) is not None or self._governance.is_rival(manifest)
        return bool(manifest) and not known and 0 < sequence <= MAX_SEQUENCE

    async def _ask(self, link: Link, manifest: bytes, sequence: int) -> None:
        """Step by step, as long as the peer is ahead; where it is on another way, for where that parts from ours."""
        while self._is_news(manifest, sequence):
            current = self._governance.history.current
            if sequence <= current.sequence:
                await self._find_parting(link, sequence)
                return
            try:
                raw = await link.successor(current.id, TIMEOUT)
            except NotFound:
                await self._find_parting(link, current.sequence)
                return
            await self._governance.take(current, raw)

    async def _find_parting(self, link: Link, upto: int) -> None:
        """Looks, by halves, for the last manifest that the peer has, too, and at what it has behind that."""
        manifests = self._governance.history.manifests[:upto]
        if not manifests:  # what it does not know everybody does
            return
        # The peer has `first`, as it is of this consortium, and not the one after `last`.
        first, last = 0, len(manifests) - 1
        while first < last:
            middle = (first + last + 1) // 2
            if await self._has(link, manifests[middle]):
                first = middle
            else:
                last = middle - 1
        await self._governance.compare(manifests[first], await link.successor(manifests[first].id, TIMEOUT))

    async def _has(self, link: Link, manifest: Manifest) -> bool:
        """Whether the peer knows of a successor of this manifest: so it does of the manifest."""
        try:
            await link.successor(manifest.id, TIMEOUT)
        except NotFound:
            return False
        return True
