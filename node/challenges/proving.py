"""Proving this member's own records to whoever asks (docs/protocol.md, section 19).

A proof tells nothing but that the record is well-formed; it costs 60 ms of a core, so each is made once and kept for a
while, and a member gets only so many new ones a day.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor

import structlog
from plimsoll.v1 import peer_pb2

from ledger.cache import Cache
from ledger.chain.chain import Chain
from ledger.challenges.challenged import bands_of
from ledger.challenges.proving import prove_record
from ledger.errors import Exhausted, NotFound, PlimsollError, Refused, Unready
from ledger.queries.freezing import Freezing, check_not_frozen
from ledger.queries.inquiry import DAY
from node.challenges.record import Doubted
from node.clock import Clock
from node.consortium import Consortium
from node.custody.custody import Custody
from node.homes.keyring import Keyring

log = structlog.get_logger()

#: New proofs that one member gets a day.
MAX_A_DAY = 200
#: Proofs kept, of 25 KB each.
KEPT = 256
#: Proofs made at once.
AT_ONCE = 2


class Proving:
    """Out of the sealed copies in this member's own log."""

    def __init__(
        self,
        consortium: Consortium,
        keyring: Keyring,
        chain: Chain,
        custody: Custody,
        freezing: Freezing,
        executor: Executor,
        rng: Callable[[int], bytes],
        clock: Clock,
    ) -> None:
        self._consortium = consortium
        self._backup_key = keyring.backup_key
        self._chain = chain
        self._custody = custody
        self._freezing = freezing
        self._executor = executor
        self._rng = rng
        self._clock = clock
        self._kept: Cache[Doubted, bytes] = Cache(KEPT // 2)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._day = 0
        self._made: Counter[str] = Counter()

    async def answer(self, caller: str, request: peer_pb2.ProveRequest) -> peer_pb2.ProveResponse:
        """For another member. Raises Refused (NOT_A_MEMBER), NotFound (UNKNOWN_RECORD), Exhausted (QUOTA), Unready
        (NO_KEYS, CANNOT_PROVE), Unverified (FORK)."""
        manifest = self._consortium.manifest
        if caller not in manifest:
            raise Refused("NOT_A_MEMBER", "the caller is no member")
        check_not_frozen(manifest, caller, self._freezing)
        doubted = Doubted(request.origin, request.index, request.leaf_hash)
        entry = self._own(doubted)
        kept = self._kept.get(doubted)
        if kept is None:
            self._count(caller)
            kept = await self._prove(doubted, entry)
        return peer_pb2.ProveResponse(proof=kept)

    async def proof(self, doubted: Doubted) -> bytes:
        """For this member itself. Raises the same."""
        entry = self._own(doubted)
        return self._kept.get(doubted) or await self._prove(doubted, entry)

    def _own(self, doubted: Doubted) -> bytes:
        held = [one for one in self._chain.logs() if one.origin == doubted.origin]
        entry = doubted.entry(self._chain) if held and held[0].member == self._consortium.member else None
        if entry is None:
            raise NotFound("UNKNOWN_RECORD", "this member has no such open position")
        return entry

    def _count(self, caller: str) -> None:
        today = int(self._clock.unix()) // DAY
        if today != self._day:
            self._day = today
            self._made.clear()
        if self._made[caller] >= MAX_A_DAY:
            raise Exhausted("QUOTA", f"{MAX_A_DAY} proofs were made for {caller} today")
        self._made[caller] += 1

    async def _prove(self, doubted: Doubted, entry: bytes) -> bytes:
        keys, manifest = self._custody.keys, self._consortium.manifest
        if keys is None:
            raise Unready("NO_KEYS", "the key ceremony is not final yet")
        fields, member = keys.fields, self._consortium.member

        def work() -> bytes:
            bands = bands_of(manifest)
            return prove_record(manifest.consortium, fields, member, entry, bands, self._backup_key, self._rng)

        async with self._room:
            try:
                proof = await asyncio.get_running_loop().run_in_executor(self._executor, work)
            except PlimsollError as error:
                # What exactly is wrong with its own record is nobody else's business.
                log.error("own record cannot be proved well-formed", record=str(doubted), why=str(error))
                raise Unready("CANNOT_PROVE", "this record cannot be proved well-formed") from error
        self._kept.put(doubted, proof)
        return proof
