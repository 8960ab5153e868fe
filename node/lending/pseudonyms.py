"""Obtaining pseudonym keys from t custodians (protocol section 6) and keeping them in the book."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

import structlog
from plimsoll.v1 import peer_pb2

from ledger.borrower.pseudonym import Batch
from ledger.chain.chain import Log
from ledger.errors import Unready
from node.chain.committer import Committer
from node.chain.tails import tail
from node.clock import Clock
from node.consortium import Consortium
from node.custody.custodians import Custodians
from node.custody.custody import Custody
from node.custody.quorum import ask_quorum
from node.lending.shelf import Shelf

T = TypeVar("T")

log = structlog.get_logger()

#: Seconds a custodian may take for a batch, and after which another is asked: for one element, and more for each.
TIMEOUT, TIMEOUT_EACH = 5.0, 0.03
PATIENCE, PATIENCE_EACH = 0.5, 0.003
#: Seconds for which custodians that do not know the keys yet are asked again.
BEHIND = 5.0


class Pseudonyms:
    """The asking side; the blinded batch is all that leaves this node."""

    #: Identities asked for at once.
    batch = 512

    def __init__(
        self,
        consortium: Consortium,
        own: Callable[[], Log],
        shelf: Shelf,
        custody: Custody,
        custodians: Custodians,
        committer: Committer,
        executor: Executor,
        rng: Callable[[int], bytes],
        clock: Clock | None = None,
    ) -> None:
        """own: the log that this node writes."""
        self._consortium = consortium
        self._own = own
        self._clock = clock or Clock()
        self._shelf = shelf
        self._custody = custody
        self._custodians = custodians
        self._committer = committer
        self._executor = executor
        self._rng = rng

    async def key(self, borrower: str) -> bytes:
        """K_b of a canonical identity, 64 bytes: from the book, or obtained and kept there."""
        known = await self._off_loop(self._shelf.pseudonym_key, borrower)
        if known is None:
            (known,) = await self.obtain([borrower])
        return known

    async def prepare(self, borrowers: Sequence[str]) -> None:
        """Has the book know the keys of all these, no two alike. Raises as `obtain`."""
        strangers = await self._off_loop(self._shelf.strangers, borrowers)
        for start in range(0, len(strangers), self.batch):
            await self.obtain(strangers[start : start + self.batch])

    async def obtain(self, borrowers: Sequence[str]) -> list[bytes]:
        """K_b of identities that have no record in the book, which then has one, in the order asked for.

        Logs an Evaluation first. Raises Unready before the keys are there, Unavailable without t custodians.
        """
        keys = self._custody.keys
        if keys is None:
            raise Unready("NO_KEYS", "the key ceremony is not final yet")
        consortium, keeping = self._consortium.id, self._consortium.history.keeping(keys.epoch)
        batch = await self._off_loop(Batch, borrowers, consortium, keys, keeping.threshold, self._rng)
        index = await self._committer.append([batch.entry(int(self._clock.unix()))])
        request = peer_pb2.EvaluateRequest(tail=tail(self._own(), index), index=index, elements=batch.elements)

        timeout = TIMEOUT + TIMEOUT_EACH * len(borrowers)

        async def ask(member: str) -> bool:
            response = await self._custodians.evaluate(member, request, timeout)
            good: bool = await self._off_loop(batch.accept, keeping.custodian_index(member), response)
            return good

        patience = PATIENCE + PATIENCE_EACH * len(borrowers)
        order = self._custodians.order(keeping)
        failures = await ask_quorum(order, keeping.threshold, ask, patience, BEHIND)
        for member, error in failures.items():
            log.warning("custodian failed to evaluate", custodian=member, why=str(error))
        found: list[bytes] = await self._off_loop(batch.finish)
        await self._off_loop(self._shelf.introduce, list(zip(borrowers, found, strict=True)))
        return found

    async def _off_loop(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)
