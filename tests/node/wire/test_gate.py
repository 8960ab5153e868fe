"""The gate before a real gRPC server, with handlers and limits of the test's own and callers that say who they are."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from ledger.errors import InvalidInput
from node.wire.gate import Gate
from node.wire.health import Health
from node.wire.limits import MIB, Limits, Parties
from node.wire.tls import Caller

STALL = 0.4
LIMITS = Limits(calls=6, request_bytes=8 * MIB, answer_bytes=16 * MIB, stall=STALL)
SERVICE = "plimsoll.v1.PeerService"
PULL, PUSH, HEADS = (f"/{SERVICE}/{name}" for name in ("Pull", "Push", "Heads"))


class OpenGate(Gate):
    """Believes what a caller says about itself."""

    def _who(self, context: Any) -> tuple[Caller | None, Any]:
        member = dict(context.invocation_metadata())["member"]
        return Caller(bytes(32), member, "node", "home"), None


class Request:
    """What a handler is given: something that can be watched going away."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw


async def push(request: Request, context: Any) -> bytes:
    seen.append(weakref.ref(request))
    raise InvalidInput("NO", "not this")


async def heads(request: Request, context: Any) -> bytes:
    return request.raw


async def pull(request: Request, context: Any) -> AsyncIterator[bytes]:
    for _ in range(8):  # more than a client takes ahead unasked, however busy the machine is
        yield bytes(2 * MIB)


seen: list[weakref.ref[Request]] = []
HANDLERS = {
    "Push": grpc.unary_unary_rpc_method_handler(push, Request, bytes),
    "Heads": grpc.unary_unary_rpc_method_handler(heads, Request, bytes),
    "Pull": grpc.unary_stream_rpc_method_handler(pull, Request, bytes),
}


@asynccontextmanager
async def served(limits: Limits = LIMITS) -> AsyncIterator[Any]:
    loop = asyncio.get_running_loop()
    gate = OpenGate("lender-1", lambda pem: pytest.fail(str(pem)), loop.time, Parties("lender-1", loop.time, limits))
    server = grpc.aio.server(interceptors=[gate])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, HANDLERS),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(0)


def as_member(member: str) -> dict[str, Any]:
    return {"metadata": (("member", member),), "timeout": 10}


async def heads_of(channel: Any, member: str) -> bytes:
    answer: bytes = await channel.unary_unary(HEADS)(b"hello", **as_member(member))
    return answer


async def read_all(call: Any, answers: list[bytes]) -> None:
    async for answer in call:
        answers.append(answer)  # noqa: PERF401 -- those before a failure count


def reason_of(error: Any) -> str:
    info = error_details_pb2.ErrorInfo()
    rpc_status.from_call(error).details[0].Unpack(info)
    return str(info.reason)


async def test_what_is_not_read_is_not_made_and_ends_where_the_reader_comes_too_late() -> None:
    async with served() as channel:
        call = channel.unary_stream(PULL)(b"", **as_member("lender-2"))
        await asyncio.sleep(3 * STALL)
        answers: list[bytes] = []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_all(call, answers)
        assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_SLOW")
        assert len(answers) < 8


async def test_a_request_that_does_not_arrive_ends_the_call() -> None:
    async with served() as channel:
        call = channel.stream_unary(HEADS)(**as_member("lender-2"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert reason_of(caught.value) == "TOO_SLOW"


async def test_a_call_without_a_message_is_refused() -> None:
    async with served() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.stream_unary(HEADS)(iter([]), **as_member("lender-2"))
        assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_MESSAGE")


async def test_calls_that_are_not_read_take_places_until_they_are_over() -> None:
    async with served() as channel:
        calls = [channel.unary_stream(PULL)(b"", **as_member("lender-2")) for _ in range(LIMITS.calls)]
        await asyncio.sleep(0.1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await heads_of(channel, "lender-2")
        status = rpc_status.from_call(cast(Any, caught.value))
        assert reason_of(caught.value) == "TOO_MANY_CALLS"
        retry = error_details_pb2.RetryInfo()
        assert status.details[-1].Unpack(retry)
        assert retry.retry_delay.ToMilliseconds() > 0
        assert await heads_of(channel, "lender-3") == b"hello"
        for call in calls:
            call.cancel()
        await asyncio.sleep(0.2)
        assert await heads_of(channel, "lender-2") == b"hello"


async def test_many_large_requests_take_turns_and_all_are_served() -> None:
    async with served(Limits(request_bytes=8 * MIB)) as channel:
        raw = bytes(3 * MIB)
        call = channel.unary_unary(HEADS)
        answers = await asyncio.gather(*(call(raw, **as_member("lender-2")) for _ in range(40)))
        assert set(map(len, answers)) == {len(raw)}


async def test_whoever_asks_too_much_waits_and_nobody_else() -> None:
    async with served(Limits(work=100.0, burst=20.0)) as channel:
        loop = asyncio.get_running_loop()
        started = loop.time()
        flood = [asyncio.create_task(heads_of(channel, "lender-2")) for _ in range(12)]  # 10 units each
        assert await heads_of(channel, "lender-3") == b"hello"
        assert not all(task.done() for task in flood)
        await asyncio.gather(*flood)
        assert loop.time() - started >= 0.9


async def test_a_refused_request_is_let_go_without_the_collector() -> None:
    seen.clear()
    async with served() as channel:
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                with pytest.raises(grpc.aio.AioRpcError):
                    await channel.unary_unary(PUSH)(b"x", **as_member("lender-2"))
            await asyncio.sleep(0.1)
            assert len(seen) == 3
            assert not any(reference() for reference in seen)
        finally:
            gc.enable()


async def test_a_call_that_there_is_not_is_refused_as_such() -> None:
    async with served() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(f"/{SERVICE}/Nothing")(b"", **as_member("lender-2"))
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_watcher_of_the_node_s_health_is_told_of_changes_only_and_holds_up_nothing() -> None:
    health = Health(("", "a"))

    class Of:
        def __init__(self, service: str) -> None:
            self.service = service

    watching = health.Watch(Of("a"), None)
    unknown = health.Watch(Of("b"), None)
    assert (await anext(watching)).status == 2
    assert (await anext(unknown)).status == 3
    health.serving(True)  # while nobody takes what comes
    health.serving(False)
    health.serving(True)
    assert (await asyncio.wait_for(anext(watching), 1.0)).status == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(unknown), 0.1)
    health.stop()
    health.serving(True)
    assert (await health.Check(Of(""), None)).status == 2
