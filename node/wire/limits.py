"""How much of a node one party may take up at once and per second (docs/limits.md). Pure: time is handed in.

What goes beyond is made to wait; refused is only what comes while too many calls of the party wait already. So a party
that asks for too much, sends slowly or does not read what it asked for delays itself, and no honest one is refused for
a burst.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ledger.errors import Exhausted, InvalidInput, PlimsollError, Refused, Unavailable, Unverified

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one party.

    calls: served at once. request_bytes, answer_bytes: held at once. work: units a second, and `burst` of them at once;
    a unit is about what a small call costs a node. debt: seconds that a call waits at most for what others of the party
    have used up. stall: seconds that a message may take to arrive or to be read.
    """

    calls: int = 96
    request_bytes: int = 16 * MIB
    answer_bytes: int = 24 * MIB
    work: float = 1000.0
    burst: float = 5000.0
    debt: float = 5.0
    stall: float = 20.0


class Bucket:
    """Units that come in at `rate` a second, up to `burst` of them. Who takes more than there is goes into debt: many
    at once are each told to wait a little longer, up to `debt` seconds. now: seconds of any clock."""

    __slots__ = ("_burst", "_last", "_least", "_level", "_rate")

    def __init__(self, rate: float, burst: float, debt: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._least = -debt * rate
        self._level = burst
        self._last = now

    def take(self, amount: float, now: float) -> float:
        """Seconds to wait before going on, mostly 0."""
        elapsed = max(0.0, now - self._last)
        self._last = max(now, self._last)
        self._level = max(self._least, min(self._burst, self._level + elapsed * self._rate) - amount)
        return max(0.0, -self._level / self._rate)


class Share:
    """Bytes that may be held at once. Who wants more waits: first come, first served."""

    __slots__ = ("_free", "_waiting")

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def free(self) -> int:
        """How much nobody holds."""
        return self._free

    async def take(self, amount: int) -> None:
        """Waits until `amount`, at most the whole, is free and everybody who came before has got theirs."""
        if not self._waiting and amount <= self._free:
            self._free -= amount
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, granted))
        try:
            await granted
        except asyncio.CancelledError:
            # Granted in the same moment, or not at all: either way others may have their turn now.
            self.give(0 if granted.cancelled() else amount)
            raise

    def give(self, amount: int) -> None:
        """What was taken, or a part of it."""
        self._free += amount
        while self._waiting:
            wanted, granted = self._waiting[0]
            if not granted.done():
                if wanted > self._free:
                    return
                self._free -= wanted
                granted.set_result(None)
            self._waiting.popleft()

    @asynccontextmanager
    async def held(self, amount: int) -> AsyncIterator[None]:
        """`amount` for as long as the block runs."""
        await self.take(amount)
        try:
            yield
        finally:
            self.give(amount)


#: What a call costs beside its bytes, in units; 1 where nothing is said. What comes out of memory at any rate is cheap
#: to ask for and not needed often; a push ends in a synced write.
COSTS = {
    "/plimsoll.v1.PeerService/Heads": 10.0,
    "/plimsoll.v1.PeerService/Push": 4.0,
    "/plimsoll.v1.PeerService/Prove": 60.0,
    "/plimsoll.v1.PeerService/Successor": 10.0,
    "/plimsoll.v1.AuditService/Manifest": 10.0,
    "/plimsoll.v1.AuditService/LatestHeads": 10.0,
    "/grpc.health.v1.Health/Check": 10.0,
    "/grpc.health.v1.Health/Watch": 10.0,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": 10.0,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": 10.0,
}
#: Bytes, either way, that cost one unit: 60,000 records a second, of 700 bytes, take a third of what a party has.
BYTES_A_UNIT = 128 * 1024
#: A call that is refused for what it says costs this much more. Honest members are hardly ever refused.
REFUSED = 10.0
_FOR_WHAT_IT_SAYS = (InvalidInput, Refused, Unverified, Unavailable)


class Party:
    """What one party has under way. limits None: this node's own people, who are its reason to be."""

    def __init__(self, name: str, calls: int, limits: Limits | None, now: float) -> None:
        self.name = name
        self.limits = limits
        self.requests = Share(1 << 62 if limits is None else limits.request_bytes)
        self.answers = Share(1 << 62 if limits is None else limits.answer_bytes)
        self._calls = calls
        self._served = 0
        self._work = None if limits is None else Bucket(limits.work, limits.burst, limits.debt, now)

    def enter(self) -> None:
        """One more call. Raises Exhausted (TOO_MANY_CALLS) where there is no room; `leave` when the call is over."""
        if self._served >= self._calls:
            raise Exhausted("TOO_MANY_CALLS", f"{self._calls} calls of {self.name} are being served already", retry=1.0)
        self._served += 1

    def leave(self) -> None:
        """A call that entered is over, answer read and all."""
        self._served -= 1

    def work(self, units: float, now: float) -> float:
        """So many units of work are about to be done, or are done: seconds to wait before going on."""
        return 0.0 if self._work is None else self._work.take(units, now)

    def refused(self, error: PlimsollError, now: float) -> None:
        """A call was refused."""
        if isinstance(error, _FOR_WHAT_IT_SAYS):
            self.work(REFUSED, now)


#: Calls of this node's own people served at once.
CALLS_OF_OWN = 512


class Parties:
    """By whom a call is made: this node's own people, another member's node, its people, or nobody that is known."""

    def __init__(self, member: str, clock: Callable[[], float], limits: Limits | None = None) -> None:
        self._member = member
        self._clock = clock
        self._limits = limits or Limits()
        self._parties: dict[tuple[str, bool], Party] = {}

    def of(self, member: str, *, node: bool) -> Party:
        """member: of the certificate, "" where that says nothing. A member's people do not use up its node's share."""
        key = (member, node and member != self._member)
        party = self._parties.get(key)
        if party is None:
            party = self._parties[key] = self._made(*key)
        return party

    def _made(self, member: str, node: bool) -> Party:
        if member == self._member:
            return Party(member, CALLS_OF_OWN, None, self._clock())
        name = f"{member}'s node" if node else member or "strangers"
        return Party(name, self._limits.calls, self._limits, self._clock())
