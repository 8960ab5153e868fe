"""Links to the other members' nodes: one channel each, pinned to that member's CA, with what is known of its health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import grpc
import grpc.aio
from plimsoll.v1 import peer_pb2, peer_pb2_grpc

from ledger import refusal
from ledger.errors import PlimsollError, Unavailable, Unverified
from node.clock import Clock

T = TypeVar("T")

#: Seconds that calls under way get when their channel is replaced.
GRACE = 10.0

#: Largest message either way: a block of 2 MiB, a head and a proof.
MAX_MESSAGE = 4 * 1024 * 1024

CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
]


class Link:
    """One peer. Every call has a deadline in seconds and raises only PlimsollError; Unavailable: nobody answers."""

    def __init__(self, member: str, address: str, channel: grpc.aio.Channel, clock: Clock | None = None) -> None:
        self.member = member
        self.address = address
        self.error = "not contacted yet"
        self.last_contact: float | None = None
        #: Smoothed seconds a call takes, for choosing custodians and for deciding when one is slow.
        self.latency = 0.005
        self._channel = channel
        self._clock = clock or Clock()
        self._stub = peer_pb2_grpc.PeerServiceStub(channel)

    @property
    def reachable(self) -> bool:
        """Whether the last call got an answer."""
        return not self.error

    async def heads(self, timeout: float) -> peer_pb2.HeadsResponse:
        """The signed heads the peer holds, and those it knows to be witnessed."""
        return await self._call(self._stub.Heads, peer_pb2.HeadsRequest(), timeout)

    async def successor(self, previous: bytes, timeout: float) -> bytes:
        """What the peer knows to have followed the manifest with this id: a serialized Succession. Raises NotFound."""
        answer = await self._call(self._stub.Successor, peer_pb2.SuccessorRequest(previous=previous), timeout)
        return bytes(answer.succession)

    async def witness(self, request: peer_pb2.WitnessRequest, timeout: float) -> peer_pb2.WitnessResponse:
        """Offers a head of one's own log to be cosigned."""
        return await self._call(self._stub.Witness, request, timeout)

    async def push(self, block: peer_pb2.Block, timeout: float) -> int:
        """Offers a block; how many entries of that log the peer then holds."""
        answer = await self._call(self._stub.Push, peer_pb2.PushRequest(block=block), timeout)
        return int(answer.size)

    async def evaluate(self, request: peer_pb2.EvaluateRequest, timeout: float) -> peer_pb2.EvaluateResponse:
        """The peer as custodian evaluates a batch of blinded identities."""
        return await self._call(self._stub.Evaluate, request, timeout)

    async def decrypt(self, request: peer_pb2.DecryptRequest, timeout: float) -> peer_pb2.DecryptResponse:
        """The peer as custodian answers an inquiry."""
        started = self._clock.monotonic()
        answer = await self._call(self._stub.Decrypt, request, timeout)
        self.latency += 0.2 * (self._clock.monotonic() - started - self.latency)
        return answer

    async def prove(self, request: peer_pb2.ProveRequest, timeout: float) -> bytes:
        """The peer as author proves one of its records well-formed."""
        return bytes((await self._call(self._stub.Prove, request, timeout)).proof)

    async def pull(self, origin: str, start: int, timeout: float) -> AsyncGenerator[peer_pb2.Block, None]:
        """Blocks of one log from `start` on; `timeout` is for each block, so that a stalling peer does not hold us."""
        try:
            call = self._stub.Pull(peer_pb2.PullRequest(origin=origin, start=start))
        except grpc.aio.UsageError as error:
            raise self._closed() from error
        try:
            while True:
                try:
                    async with asyncio.timeout(timeout):
                        answer = await call.read()
                except TimeoutError as error:
                    raise self._failed(Unavailable("STALLED", f"{self.member} sends no more")) from error
                except grpc.aio.AioRpcError as error:
                    raise self._failed(as_refusal(error, self.member)) from error
                if not isinstance(answer, peer_pb2.PullResponse):  # the end of the stream
                    return
                self._succeeded()
                yield answer.block
        finally:
            call.cancel()

    async def close(self) -> None:
        """Ends the channel. Whoever still holds this link finds the peer unavailable."""
        await self._channel.close(None)

    async def go_on_over(self, channel: grpc.aio.Channel) -> None:
        """Another channel to the same peer, for all calls from now on; returns when those under way have ended."""
        before, self._channel = self._channel, channel
        self._stub = peer_pb2_grpc.PeerServiceStub(channel)
        await before.close(GRACE)

    async def _call(self, method: Callable[..., Awaitable[T]], request: Any, timeout: float) -> T:
        try:
            answer = await method(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise self._failed(as_refusal(error, self.member)) from error
        except grpc.aio.UsageError as error:
            raise self._closed() from error
        if answer is None:  # gRPC's word for bytes that are no message of the type
            raise self._failed(Unverified("BAD_ANSWER", f"{self.member} answers with what is no message"))
        self._succeeded()
        return answer

    def _closed(self) -> Unavailable:
        """The manifest has changed since whoever calls took this link."""
        return Unavailable("UNREACHABLE", f"the connection to {self.member} has been given up")

    def _succeeded(self) -> None:
        self.error = ""
        self.last_contact = self._clock.monotonic()

    def _failed(self, error: PlimsollError) -> PlimsollError:
        """Notes a peer that did not answer; one that refused did."""
        if isinstance(error, Unavailable):
            self.error = error.message
        else:
            self._succeeded()
        return error


def as_refusal(error: grpc.aio.AioRpcError, member: str) -> PlimsollError:
    """What the peer refused, or that it could not be reached."""
    code = error.code()
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        return Unavailable("UNREACHABLE", f"{member} does not answer ({code.name.lower().replace('_', ' ')})")
    metadata: Any = error.trailing_metadata()  # its stub does not say that it iterates over pairs
    trailers: Mapping[str, Any] = dict(metadata or ())
    return refusal.from_status(trailers.get(refusal.TRAILER), code.name, error.details() or code.name)
