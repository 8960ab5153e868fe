"""This node's part in the key ceremonies, epoch after epoch (protocol section 5), and the shares it holds.

It drives a state machine of the core, `ceremony.Keeper`, and does the I/O that asks for: what must be remembered is on
disk, sealed, before anything that rests on it leaves the node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

import structlog
from plimsoll.v1 import operator_pb2

from ledger.ceremony import (
    Append,
    Ceremony,
    Epochs,
    Erase,
    Keeper,
    KeeperAction,
    Persist,
    Retention,
    Timing,
    beginnings_of,
)
from ledger.chain.chain import Chain, Log
from ledger.errors import PlimsollError
from ledger.keys import PublicKeys, SecretShares
from node.chain.committer import Committer
from node.clock import Clock
from node.consortium import Consortium
from node.custody.following import Following
from node.custody.vault import Vault

T = TypeVar("T")
log = structlog.get_logger()

#: Seconds between two looks at the logs while a ceremony is under way, and otherwise (late complaints, old shares).
BUSY, IDLE = 0.2, 5.0


class Ceremonies:
    """Also for a member that is no custodian: it follows the ceremonies and knows the public keys."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        vault: Vault,
        committer: Committer,
        executor: Executor,
        rng: Callable[[int], bytes],
        timing: Timing | None = None,
        clock: Clock | None = None,
        *,
        settled: Callable[[Log], int] = lambda held: held.size,
        hurry: Callable[[], None] = lambda: None,
    ) -> None:
        """settled: how much of a log counts, see Following. hurry: called when this node has said something that is
        to be witnessed soon. Raises as `Vault.load`."""
        self._consortium = consortium
        self._vault = vault
        self._committer = committer
        self._executor = executor
        self._rng = rng
        self._timing = timing
        self._clock = clock or Clock()
        self._following = Following(chain, consortium.member, settled)
        self._hurry = hurry
        self._epochs: Epochs | None = None
        self._news = asyncio.Event()
        self._keeper = self._open()
        self._shares: Mapping[int, SecretShares] = {}

    @property
    def keys(self) -> PublicKeys | None:
        """The public keys of the epoch in force: the highest that is final."""
        return None if self._in_force is None else self._in_force.keys

    def keys_of(self, epoch: int) -> PublicKeys | None:
        """Those of an epoch that is final."""
        return None if self._epochs is None else self._epochs.keys.get(epoch)

    @property
    def shares(self) -> Mapping[int, SecretShares]:
        """This node's, by epoch: of the one in force, and for a while of those before."""
        return self._shares

    @property
    def under_way(self) -> bool:
        """Whether the newest epoch is not final yet."""
        return self._epochs is None or self._epochs.newest.epoch not in self._epochs.keys

    @property
    def lost(self) -> bool:
        """Whether this custodian has lost its shares of the epoch in force for good: it takes a refresh."""
        return self._keeper.is_lost

    async def run(self, stepped: Callable[[], Awaitable[None]]) -> None:
        """Follows the ceremonies for ever; calls `stepped` after every look at the logs."""
        while True:
            pause = IDLE
            try:
                await self.step()
                await stepped()
                pause = BUSY if self.under_way else IDLE
            except PlimsollError as error:  # a log or the vault cannot be read or written: the rest of the node goes on
                log.error("key ceremony cannot be followed", why=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()
            self._news.clear()

    def wake(self) -> None:
        """A manifest may have begun a new epoch."""
        self._news.set()

    async def step(self) -> None:
        """One look at the logs, and what follows from it."""
        beginnings, history = beginnings_of(self._consortium.history), self._consortium.history
        keeper, now = self._keeper, self._clock.unix()

        def look() -> list[KeeperAction]:
            return keeper.step(beginnings, self._following.entries(beginnings, self._epochs, history), now)

        try:
            actions = await self._off_loop(look)
        except PlimsollError:
            self._keeper = self._open()
            raise
        self._epochs = keeper.epochs
        if not self._committer.is_open and any(isinstance(action, Append) for action in actions):
            # What it would say it may have said already, in entries that this log does not hold yet.
            self._keeper = self._open()
            return
        try:
            for action in actions:
                await self._execute(action)
        except PlimsollError:
            # What was persisted is the truth from here on.
            self._keeper = self._open()
            raise
        self._take_over(keeper)

    async def _execute(self, action: KeeperAction) -> None:
        if isinstance(action, Append):
            await self._committer.append([action.entry])
            self._hurry()
        elif isinstance(action, Persist):
            await self._off_loop(lambda: self._vault.store(action.state))
        elif isinstance(action, Erase):
            await self._off_loop(self._vault.erase_former)

    def _take_over(self, keeper: Keeper) -> None:
        """The shares whose keys are final."""
        final = {} if self._epochs is None else self._epochs.keys
        now = {epoch: shares for epoch, shares in keeper.shares.items() if epoch in final}
        for epoch in sorted(now.keys() - self._shares.keys()):
            log.info("holding shares", epoch=epoch, custodian=now[epoch].index)
        for epoch in sorted(self._shares.keys() - now.keys()):
            log.info("shares erased", epoch=epoch)
        self._shares = now

    def _open(self) -> Keeper:
        grace = self._consortium.manifest.policy.inquiry_seconds
        state = self._vault.load()
        return Keeper(self._consortium.member, self._rng, Retention(grace), self._timing, state)

    @property
    def _in_force(self) -> Ceremony | None:
        return None if self._epochs is None else self._epochs.in_force

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    # -- for the operator

    def status(self) -> operator_pb2.KeyStatus:
        """Where the newest ceremony stands, and which keys are in force."""
        manifest, keys = self._consortium.manifest, self.keys
        newest = None if self._epochs is None else self._epochs.ceremonies.get(self._epochs.newest.epoch)
        return operator_pb2.KeyStatus(
            epoch=0 if keys is None else keys.epoch,
            custodian=manifest.custodian_index(self._consortium.member),
            threshold=manifest.threshold,
            custodians=len(manifest.custodians),
            phase="" if newest is None else newest.phase,
            waiting_for=() if newest is None else newest.waiting_for,
            holds_shares=keys is not None and keys.epoch in self._shares,
            public_keys=[] if keys is None else [point.hex() for point in keys],
        )
