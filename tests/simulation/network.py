"""The network between the nodes: real stubs and real services, every message as bytes, and everything that goes wrong.

A call's request and answer each take a while, which differs, so that they overtake each other; either may be lost, and
a request may arrive twice. Between two sides of a partition nothing arrives. A caller sees of all that what gRPC would
show it: UNAVAILABLE at once or after a while, or its own deadline.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import AioRpcError, Metadata

from ledger import refusal
from ledger.consortium.caller import Caller
from ledger.errors import InvalidInput, PlimsollError
from node.wire.gate import CALLER
from tests.simulation.process import Process
from tests.simulation.trace import Trace

#: Bytes of headers and framing that a message costs besides its own.
OVERHEAD = 120


@dataclass
class Weather:
    """How the network is now. delay: mean seconds one way; loss, twice: odds of a message.

    cut: pairs (from, to) between which nothing arrives.
    """

    delay: float = 0.002
    loss: float = 0.0
    twice: float = 0.0
    cut: set[tuple[str, str]] = field(default_factory=set)


class Server:
    """In place of grpc.aio.Server: what the generated code registers."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The registered ones are used."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        self._handlers.update({f"/{service}/{name}": handler for name, handler in handlers.items()})

    def handler(self, method: str) -> Any:
        return self._handlers[method]


#: What becomes of an answer's bytes on their way out of a dishonest node: (caller, method, request, answer) to answer.
Twist = Callable[[str, str, bytes, bytes], bytes]


class Network:
    """All nodes' servers by name, and the way between them. listeners are told (caller, callee, method, request,
    answer) of every answer that an honest node gives."""

    def __init__(self, rng: random.Random, trace: Trace, broken: Callable[[str, BaseException], object]) -> None:
        """broken: told of whatever leaves a handler that is none of our errors."""
        self.weather = Weather()
        self.bytes: Counter[str] = Counter()
        #: By call, both ways.
        self.bytes_of: Counter[str] = Counter()
        self.messages = 0
        self.listeners: list[Callable[[str, str, str, bytes, bytes], object]] = []
        self.twists: dict[str, Twist] = {}
        #: (caller, callee): the server that this caller reaches there, where it is not the one that all others reach.
        self._servers: dict[str, Server] = {}
        self._faces: dict[tuple[str, str], Server] = {}
        self.rng = rng
        self.trace = trace
        self.broken = broken

    def serve(self, member: str, server: Server, callers: frozenset[str] | None = None) -> None:
        """From now on calls to this member, of these callers or of all, reach this server."""
        if callers is None:
            self._servers[member] = server
        else:
            self._faces.update({(caller, member): server for caller in callers})

    def server(self, caller: str, member: str) -> Server | None:
        found = self._faces.get((caller, member)) or self._servers.get(member)
        return found if found is not None and found.process.alive else None

    def channel(self, process: Process, member: str) -> Channel:
        """From a process to the node of a member."""
        return Channel(self, process, member)

    async def travel(self, sender: str, receiver: str, size: int) -> bool:
        """One message's way; whether it arrives."""
        weather = self.weather
        self.bytes[sender] += size + OVERHEAD
        self.bytes[receiver] += size + OVERHEAD
        self.messages += 1
        await asyncio.sleep(weather.delay * (0.5 + self.rng.expovariate(2.0)))
        return (sender, receiver) not in weather.cut and self.rng.random() >= weather.loss


class Channel:
    """In place of grpc.aio.Channel: makes what the stubs call."""

    def __init__(self, network: Network, process: Process, member: str) -> None:
        self._network = network
        self._process = process
        self._member = member

    def unary_unary(self, method: str, request_serializer: Any, response_deserializer: Any, **_: Any) -> Any:
        async def call(request: Any, timeout: float | None = None) -> Any:
            raw = request_serializer(request)
            flight = _Flight(self._network, self._process, self._member, method, raw)
            answer = await _within(timeout, flight.unary())
            with suppress(DecodeError):
                return response_deserializer(answer)
            return None

        return call

    def unary_stream(self, method: str, request_serializer: Any, response_deserializer: Any, **_: Any) -> Any:
        def call(request: Any) -> _Stream:
            flight = _Flight(self._network, self._process, self._member, method, request_serializer(request))
            return _Stream(self._process, flight, response_deserializer)

        return call

    async def close(self, grace: float | None) -> None:
        """Nothing is held."""


async def _within(timeout: float | None, call: Awaitable[bytes]) -> bytes:
    try:
        async with asyncio.timeout(timeout):
            return await call
    except TimeoutError:
        raise _failure(grpc.StatusCode.DEADLINE_EXCEEDED) from None


class _Stream:
    """One streamed call under way."""

    def __init__(self, process: Process, flight: _Flight, deserialize: Any) -> None:
        self._answers: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self._deserialize = deserialize
        self._over: BaseException | None = None
        self._ended = False
        self._task = process.start(self._pump(flight))

    async def _pump(self, flight: _Flight) -> None:
        try:
            async with aclosing(flight.stream()) as answers:
                async for answer in answers:
                    self._answers.put_nowait(answer)
                    while self._answers.qsize() > 2:  # noqa: ASYNC110 -- flow control
                        await asyncio.sleep(0.01)
            self._answers.put_nowait(None)
        except AioRpcError as error:
            self._answers.put_nowait(error)

    async def read(self) -> Any:
        if self._ended:
            return grpc.aio.EOF  # type: ignore[attr-defined]
        answer = await self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        if answer is None:
            self._ended = True
            return grpc.aio.EOF  # type: ignore[attr-defined]
        with suppress(DecodeError):
            return self._deserialize(answer)
        return None  # as gRPC has it

    def cancel(self) -> None:
        self._task.cancel()


class _Flight:
    """One call's way there and back."""

    def __init__(self, network: Network, process: Process, member: str, method: str, request: bytes) -> None:
        self._network = network
        self._process = process
        self._caller = process.member
        self._member = member
        self._method = method
        self._request = request

    async def unary(self) -> bytes:
        server = await self._arrive()
        job = self._served(server)
        if self._network.rng.random() < self._network.weather.twice:
            self._served(server)
        try:
            outcome = await asyncio.shield(job)
        except asyncio.CancelledError:
            if job.cancelled():  # the server has crashed
                raise _failure(grpc.StatusCode.UNAVAILABLE) from None
            # gRPC tells the server that the caller has gone, if it hears of it before it is done.
            asyncio.get_running_loop().call_later(self._network.weather.delay, job.cancel)
            raise
        except AioRpcError as error:
            await self._back(server, b"")
            raise error from None
        await self._back(server, outcome)
        return outcome

    def _served(self, server: Server) -> asyncio.Task[bytes]:
        job = server.process.start(self._serve(server))
        job.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever asked may have gone
        return job

    async def stream(self) -> Any:
        server = await self._arrive()
        handler = server.handler(self._method)
        context = server.process.context
        context.run(CALLER.set, self._caller_certificate())
        request = handler.request_deserializer(self._request)
        answers = handler.unary_stream(request, None)
        loop = asyncio.get_running_loop()
        try:
            while True:
                job = loop.create_task(anext(answers, None), context=context)
                try:
                    answer = await asyncio.shield(job)
                except asyncio.CancelledError:
                    if not job.cancelled():
                        job.cancel()
                        with suppress(asyncio.CancelledError, PlimsollError):
                            await job
                        raise
                    raise _failure(grpc.StatusCode.UNAVAILABLE) from None
                except Exception as error:  # noqa: BLE001 -- as the gate does
                    raise self._refused(error) from None
                if answer is None:
                    return
                raw = self._outgoing(server, handler.response_serializer(answer))
                await self._back(server, raw)
                yield raw
        finally:
            if server.process.alive:
                await answers.aclose()

    async def _arrive(self) -> Server:
        network = self._network
        reach = self._process.reach
        if not self._process.alive or (reach is not None and self._member not in reach):
            raise _failure(grpc.StatusCode.UNAVAILABLE)
        network.bytes_of[self._method] += len(self._request) + OVERHEAD
        arrived = await network.travel(self._caller, self._member, len(self._request))
        server = network.server(self._caller, self._member)
        if server is None:
            raise _failure(grpc.StatusCode.UNAVAILABLE)
        if not arrived:
            await self._lost()
        return server

    async def _back(self, server: Server, answer: bytes) -> None:
        self._network.bytes_of[self._method] += len(answer) + OVERHEAD
        if not await self._network.travel(self._member, self._caller, len(answer)) or not server.process.alive:
            await self._lost()

    async def _lost(self) -> None:
        """The connection breaks some time, or the caller's deadline passes."""
        await asyncio.sleep(self._network.rng.choice((0.05, 1.0, 30.0)))
        raise _failure(grpc.StatusCode.UNAVAILABLE)

    async def _serve(self, server: Server) -> bytes:
        handler = server.handler(self._method)
        CALLER.set(self._caller_certificate())
        try:
            try:
                request = handler.request_deserializer(self._request)
            except DecodeError as error:
                raise InvalidInput("BAD_MESSAGE", "these bytes are no message of this call") from error
            answer = handler.response_serializer(await handler.unary_unary(request, None))
        except Exception as error:  # noqa: BLE001 -- as the gate does
            raise self._refused(error) from None
        return self._outgoing(server, answer)

    def _outgoing(self, server: Server, answer: bytes) -> bytes:
        twist = self._network.twists.get(self._member)
        if twist is not None:
            return twist(self._caller, self._method, self._request, answer)
        for listener in self._network.listeners:
            listener(self._caller, self._member, self._method, self._request, answer)
        return answer

    def _caller_certificate(self) -> Caller:
        return Caller(bytes(32), self._caller, "node", "home")

    def _refused(self, error: Exception) -> AioRpcError:
        if not isinstance(error, PlimsollError):
            self._network.broken(f"{self._member} serving {self._method}", error)
            error = PlimsollError("INTERNAL", "the node failed to serve this call; its log says why")
        name = self._method.rsplit("/", 1)[1]
        self._network.trace.say(self._member, f"refuses {self._caller}", name, error.reason)
        return _failure(
            getattr(grpc.StatusCode, error.grpc_status),
            ((refusal.TRAILER, refusal.to_status(error).SerializeToString()),),
        )


def _failure(code: grpc.StatusCode, trailers: tuple[tuple[str, bytes], ...] = ()) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(*trailers), code.name, None)
