"""The HTTP server: who is let in, how much of it each party may have, and how answers leave (docs/limits.md).

What a party may take is counted as over gRPC (node.wire.limits), apart from it. Connections are ours to accept, as a
TLS handshake takes the certificates of its moment, and as a place is taken from the first byte on.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from ledger.consortium.address import Address
from ledger.consortium.caller import Caller
from ledger.errors import Exhausted, InvalidInput, PlimsollError, Refused, Unready
from node.web.connection import Connection
from node.web.page import Page, refusal
from node.wire.limits import BYTES_A_UNIT, Parties, Party

log = structlog.get_logger()

#: Connections at once, those included of which nothing is known yet; more are closed as soon as they come.
MAX_CONNECTIONS = 256
#: Of these, from one address, but for a reverse proxy's.
MAX_OF_ONE = 64
#: Seconds for a TLS handshake.
HANDSHAKE = 10.0
#: Seconds for a request's body, and for each of the pieces in which an answer is read.
STALL = 20.0
PIECE = 1 << 16
#: What every answer says. Nothing here is for a browser to run.
HEADERS = {"X-Content-Type-Options": "nosniff", "Server": "plimsoll"}
#: Seconds between two looks at who keeps us waiting.
LOOK = 1.0
#: Seconds that answers under way get when the server is told to stop.
GRACE = 2.0

Answer = Callable[["Asked"], Awaitable[Page]]
Identify = Callable[[bytes], Caller]


class Asked:
    """A request. caller: None where nobody has shown a certificate. plain: it came without TLS."""

    def __init__(self, request: web.BaseRequest, caller: Caller | None, party: Party, *, plain: bool) -> None:
        self.method = request.method
        self.path = request.raw_path.partition("?")[0]
        self.caller = caller
        self.party = party
        self.plain = plain
        self._request = request
        self._held = 0

    async def room(self, amount: int) -> None:
        """Waits until the party may have an answer of so many bytes; they count as held until it is read."""
        await self.party.answers.take(amount)
        self._held += amount

    def keep(self, amount: int) -> None:
        """It is no larger than this."""
        self.party.answers.give(self._held - min(amount, self._held))
        self._held = min(amount, self._held)

    def header(self, name: str) -> str:
        """Or "" where there is none."""
        return self._request.headers.get(name, "")

    async def body(self, limit: int) -> bytes:
        """All of it. Raises InvalidInput (TOO_LARGE) above `limit` bytes, Exhausted where it takes too long."""
        if self.header("Content-Encoding"):
            raise InvalidInput("BAD_REQUEST", "a request is not compressed")
        if (self._request.content_length or 0) > limit:
            raise _too_large(limit)
        raw = bytearray()
        try:
            async with asyncio.timeout(STALL):
                async for piece in self._request.content.iter_any():
                    raw += piece
                    if len(raw) > limit:
                        raise _too_large(limit)
        except TimeoutError as error:
            raise Exhausted("TOO_SLOW", f"the request does not arrive within {STALL:.0f} s") from error
        except web.RequestPayloadError as error:
            raise InvalidInput("BAD_REQUEST", "the request's body cannot be read") from error
        return bytes(raw)


class WebServer:
    """Serves from `start` to `stop`. To be used from the event loop's thread."""

    def __init__(
        self,
        listen: Address,
        answer: Answer,
        parties: Parties,
        *,
        context: Callable[[], ssl.SSLContext] | None = None,
        identify: Identify | None = None,
        costs: Callable[[str], float] = lambda path: 1.0,
    ) -> None:
        """context: of the next TLS handshake; None for plain HTTP. identify: the caller behind a certificate (PEM), or
        Refused. costs: of a path, in units of work."""
        self._listen = listen
        self._answer = answer
        self._parties = parties
        self._context = context
        self._identify = identify
        self._costs = costs
        self._http = web.Server(self._serve)
        self._socket: socket.socket | None = None
        self._connections: dict[Connection, str] = {}
        self._from: Counter[str] = Counter()
        self._listening: list[asyncio.Task[None]] = []
        self._attending: set[asyncio.Task[None]] = set()

    # -- connections

    async def start(self) -> None:
        """Listens. Raises Unready (CANNOT_LISTEN)."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                self._listen.host, self._listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            self._socket = _bound(*found[0])
        except OSError as error:
            raise Unready("CANNOT_LISTEN", f"cannot listen for HTTP on {self._listen}: {error.strerror}") from error
        self._listening = [asyncio.create_task(work) for work in (self._accept(self._socket), self._look())]

    async def run(self) -> None:
        """As long as it listens; ends where that fails."""
        await asyncio.gather(*self._listening)

    async def stop(self) -> None:
        """Takes no more, and gives what is under way a moment."""
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
        self._http.pre_shutdown()
        await self._http.shutdown(GRACE)
        for connection in list(self._connections):
            connection.abort()
        attending = list(self._attending)
        for task in attending:
            task.cancel()
        await asyncio.gather(*attending, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listener)
            except OSError as error:  # no more files may be open; those that are go on
                log.warning("no connection taken", why=str(error))
                await asyncio.sleep(LOOK)
                continue
            host = str(address[0])
            if sum(self._from.values()) >= MAX_CONNECTIONS or (self._context and self._from[host] >= MAX_OF_ONE):
                accepted.close()
                continue
            self._from[host] += 1
            task = asyncio.create_task(self._attend(accepted, host))
            self._attending.add(task)
            task.add_done_callback(self._attended)

    async def _attend(self, accepted: socket.socket, host: str) -> None:
        """One connection from its first byte to its end."""
        loop = asyncio.get_running_loop()
        connection = Connection(self._http, loop)
        try:
            accepted.setblocking(False)
            context = None if self._context is None else self._context()
            times = {} if context is None else {"ssl_handshake_timeout": HANDSHAKE, "ssl_shutdown_timeout": GRACE}
            try:
                await loop.connect_accepted_socket(lambda: connection, accepted, ssl=context, **times)
            except OSError:  # no handshake, or not in time: a stranger
                accepted.close()
                return
            self._connections[connection] = host
            await connection.gone
        finally:
            self._connections.pop(connection, None)
            self._from[host] -= 1
            if not self._from[host]:
                del self._from[host]

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            now = time.monotonic()
            for connection in [each for each in self._connections if each.is_late(now)]:
                connection.abort()

    def _attended(self, task: asyncio.Task[None]) -> None:
        self._attending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("connection failed", exc_info=error)

    # -- requests

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.begins()
        try:
            caller, stranger = self._who(request)
            member, node = ("", False) if caller is None else (caller.member, caller.role == "node")
            party = self._parties.of(member, node=node)
            asked = Asked(request, caller, party, plain=self._context is None)
            try:
                party.enter()
            except Exhausted as error:
                return await _send(request, refusal(error))
            try:
                page = await self._page(asked, stranger)
                await _pause(party.work(len(page.body) / BYTES_A_UNIT, time.monotonic()))
                return await _send(request, page)
            finally:
                asked.keep(0)
                party.leave()
        finally:
            connection.ends()

    def _who(self, request: web.BaseRequest) -> tuple[Caller | None, Refused | None]:
        """The caller, if it has shown a certificate, or why that is refused."""
        transport = request.transport
        channel = None if transport is None else transport.get_extra_info("ssl_object")
        shown = None if channel is None else channel.getpeercert(binary_form=True)
        if shown is None or self._identify is None:
            return None, None
        try:
            return self._identify(ssl.DER_cert_to_PEM_cert(shown).encode()), None
        except Refused as error:
            return None, error

    async def _page(self, asked: Asked, stranger: Refused | None) -> Page:
        try:
            await _pause(asked.party.work(self._costs(asked.path), time.monotonic()))
            if stranger is not None:
                raise stranger
            return await self._answer(asked)
        except PlimsollError as error:
            asked.party.refused(error, time.monotonic())
            return refusal(error)
        except Exception:
            log.exception("handler failed", path=asked.path)
            return refusal(PlimsollError("INTERNAL", "the node failed to serve this; its log says why"))


def _too_large(limit: int) -> InvalidInput:
    return InvalidInput("TOO_LARGE", f"a request is at most {limit} bytes")


async def _send(request: web.BaseRequest, page: Page) -> web.StreamResponse:
    """In pieces, each of which must be read in time."""
    response = web.StreamResponse(status=page.status, headers={**HEADERS, **page.headers})
    response.headers["Content-Type"] = page.type
    response.headers["Cache-Control"] = page.cache
    response.content_length = len(page.body)
    if "Upgrade" in request.headers:
        response.force_close()  # nothing of what follows would be read
    try:
        async with asyncio.timeout(STALL):
            await response.prepare(request)
        for at in range(0, 0 if request.method == "HEAD" else len(page.body), PIECE):
            async with asyncio.timeout(STALL):
                await response.write(page.body[at : at + PIECE])
        async with asyncio.timeout(STALL):
            await response.write_eof()
    except TimeoutError:
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.abort()
    return response


async def _pause(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)


def _bound(family: int, kind: int, protocol: int, _: str, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if address[0] == "::1" else 0)
        listener.bind(address)
        listener.listen(MAX_CONNECTIONS)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
