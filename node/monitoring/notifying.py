"""Telling the lender's own systems what watching has found, by HTTP (docs/watching.md says how to receive it).

What is to be sent was written together with the event. It is sent at least once: a node that dies between the answer
and writing that down sends it again, under the same id. Nobody is sent anywhere else: redirects are failures.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from plimsoll.v1 import sealed_pb2

from ledger.errors import PlimsollError
from ledger.monitoring import Webhook
from ledger.monitoring.webhook import GIVE_UP, body, headers, pause
from node.clock import Clock
from node.consortium import Consortium
from node.monitoring.policy import load, load_secret
from node.monitoring.watchlist import Watchlist
from node.upkeep.ending import to_its_end

if TYPE_CHECKING:
    import aiohttp

log = structlog.get_logger()

#: Seconds for one try in all.
TIMEOUT = 10.0
#: Tries under way at once.
AT_ONCE = 4
#: Seconds between two looks, where nothing is due sooner.
INTERVAL = 60.0
#: Seconds of failing after which a person should look.
ALERT_AFTER = 3600


class Notifying:
    """To be used from the event loop's thread."""

    def __init__(
        self,
        consortium: Consortium,
        watchlist: Watchlist,
        home: Path,
        policy: Path,
        clock: Clock,
        timeout: float = TIMEOUT,
    ) -> None:
        """home: what the secret's file is relative to. policy: watch.toml, read anew each time."""
        self._consortium = consortium
        self._watchlist = watchlist
        self._home = home
        self._policy = policy
        self._clock = clock
        self._timeout = timeout
        self._new = asyncio.Event()
        self._failing_since = 0
        self._problem = ""

    @property
    def alerts(self) -> list[str]:
        """What a person should look at."""
        found = []
        if self._failing_since and self._clock.unix() - self._failing_since >= ALERT_AFTER:
            found.append(f"the webhook of the watch list fails: {self._problem}")
        if lost := self._watchlist.given_up():
            found.append(f"{lost} event(s) never reached the webhook: plimsoll watch events")
        return found

    def kick(self) -> None:
        """There is something to send."""
        self._new.set()

    async def run(self) -> None:
        """For as long as the node runs."""
        while True:
            self._new.clear()
            try:
                wait = await self.step()
            except PlimsollError as error:
                self._note(str(error))
                wait = INTERVAL
            except Exception as error:  # a bug of ours must not end the node
                log.exception("notifying failed")
                self._note(f"notifying failed: {type(error).__name__}")
                wait = INTERVAL
            try:
                await asyncio.wait_for(self._new.wait(), wait)
            except TimeoutError:
                continue

    async def step(self) -> float:
        """Sends what is due; seconds until there may be more. Raises what keeps all of it from being sent."""
        waiting = await to_its_end(self._watchlist.outbox)
        if not waiting:
            self._failing_since = 0
            return INTERVAL
        self._failing_since = self._failing_since or self._since(waiting)
        now = self._clock.unix()
        old = [number for number, each in waiting.items() if each.since + GIVE_UP <= now]
        for number in old:
            await self._give_up(number)
        webhook = (await asyncio.to_thread(load, self._policy)).webhook
        if webhook is not None:
            secret = await asyncio.to_thread(load_secret, self._home, webhook)
            ready = [number for number, each in waiting.items() if number not in old and each.next <= now]
            await self._send_all(webhook, secret, {number: waiting[number] for number in ready})
        left = await to_its_end(self._watchlist.outbox)
        if not left:
            self._failing_since = 0
        soonest = min((each.next for each in left.values()), default=now + INTERVAL) - self._clock.unix()
        return INTERVAL if webhook is None else max(0.0, min(INTERVAL, soonest))

    async def _send_all(self, webhook: Webhook, secret: bytes, ready: dict[int, sealed_pb2.Delivery]) -> None:
        import aiohttp  # a node that tells nobody starts without it

        room = asyncio.Semaphore(AT_ONCE)
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": "plimsoll"},
        ) as session:

            async def send(number: int, delivery: sealed_pb2.Delivery) -> None:
                async with room:
                    why = await self._send(session, webhook, secret, number)
                if why:
                    await self._put_off(number, delivery, why)
                else:
                    self._failing_since = 0
                    await to_its_end(self._watchlist.delivered, number, "sent")

            async with asyncio.TaskGroup() as group:
                for number, delivery in ready.items():
                    group.create_task(send(number, delivery))

    async def _send(self, session: aiohttp.ClientSession, webhook: Webhook, secret: bytes, number: int) -> str:
        """Why it failed; "" where it was taken."""
        import aiohttp

        event = await to_its_end(self._watchlist.event, str(number))
        content = body(event, self._consortium.id.hex(), self._consortium.member)
        signed = headers(secret, event.id, int(self._clock.unix()), content)
        try:
            async with session.post(webhook.url, data=content, headers=signed, allow_redirects=False) as response:
                return "" if 200 <= response.status < 300 else f"it answers with status {response.status}"
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return f"it does not answer: {type(error).__name__}"

    async def _put_off(self, number: int, delivery: sealed_pb2.Delivery, why: str) -> None:
        delivery.failures += 1
        delivery.next = int(self._clock.unix()) + pause(delivery.failures)
        self._note(why)
        log.warning("an event was not taken", number=number, failures=delivery.failures, why=why)
        await to_its_end(self._watchlist.tried, number, delivery)

    async def _give_up(self, number: int) -> None:
        log.error("an event is not sent any more", number=number)
        await to_its_end(self._watchlist.delivered, number, "given-up")

    def _note(self, why: str) -> None:
        self._problem = why
        self._failing_since = self._failing_since or int(self._clock.unix())

    def _since(self, waiting: dict[int, sealed_pb2.Delivery]) -> int:
        """Since when it fails, also before this node was started; 0 where nothing has."""
        return min((each.since for each in waiting.values() if each.failures), default=0)
