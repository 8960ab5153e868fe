"""Who may call what (design section 7), and how much of it (docs/limits.md). Every RPC states the roles it accepts,
everything else is refused.

The gate stands before all services. It identifies the caller by its certificate before it reads what it sends, sees to
it that no party takes more than its share, checks the role, and turns every PlimsollError into a rich status. Anything
else that escapes a handler is a bug of ours: it is logged, and the caller learns only that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from typing import Any, Never

import grpc
import grpc.aio
import structlog
from google.protobuf.message import DecodeError
from grpc.aio import EOF  # type: ignore[attr-defined]  # its stub lacks it

from ledger import refusal
from ledger.errors import Exhausted, InvalidInput, PlimsollError, Refused
from node.wire.limits import BYTES_A_UNIT, COSTS, REFUSED, Parties, Party
from node.wire.links import MAX_MESSAGE
from node.wire.tls import Caller

log = structlog.get_logger()

NODE, LENDER, AUDITOR, OPERATOR = "node", "lender", "auditor", "operator"
EVERYBODY = frozenset({NODE, LENDER, AUDITOR, OPERATOR})

#: Roles by service; a service that is not here is refused to everybody.
ROLES: dict[str, frozenset[str]] = {
    "plimsoll.v1.PeerService": frozenset({NODE}),
    "plimsoll.v1.LenderService": frozenset({LENDER}),
    "plimsoll.v1.AuditService": EVERYBODY,
    "plimsoll.v1.OperatorService": frozenset({OPERATOR}),
    "grpc.health.v1.Health": EVERYBODY,
    "grpc.reflection.v1alpha.ServerReflection": EVERYBODY,
    "grpc.reflection.v1.ServerReflection": EVERYBODY,
}

#: Services that serve this member's own people only; an auditor's or a node's certificate may be another member's.
OWN_ONLY = frozenset({"plimsoll.v1.LenderService", "plimsoll.v1.OperatorService"})

#: Calls that answer in blocks of a log, up to 2 MiB of entries each, and what one takes until it is read: the block,
#: the message, its bytes and gRPC's copy of them.
BLOCKS = frozenset({"/plimsoll.v1.PeerService/Pull", "/plimsoll.v1.AuditService/Read"})
BLOCK_BYTES = 2 * MAX_MESSAGE

#: The caller of the RPC being served.
CALLER: ContextVar[Caller] = ContextVar("caller")

Context = grpc.aio.ServicerContext[Any, Any]


class Gate(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # its stub is generic, the class is not
    """Wraps every handler of the server. identify: the caller behind a certificate (PEM), or Refused.

    clock: seconds that only grow. parties: whose share is how large. note: told how each
    call ended: "OK", or the reason.
    """

    def __init__(
        self,
        member: str,
        identify: Callable[[bytes], Caller],
        clock: Callable[[], float] = time.monotonic,
        parties: Parties | None = None,
        note: Callable[[str, str], None] = lambda method, reason: None,
    ) -> None:
        self._note = note
        self._member = member
        self._identify = identify
        self._clock = clock
        self._parties = parties or Parties(member, clock)

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """gRPC's hook: the handler of a call, behind the gate.

        To gRPC all calls are streams of bytes both ways: it reads a single request before anybody has looked at the
        caller. What does not parse is refused here.
        """
        method: str = handler_call_details.method  # "/package.Service/Method"
        handler = await continuation(handler_call_details)
        if handler is None:
            return grpc.stream_unary_rpc_method_handler(self._unknown(method))
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._streaming(handler, method))
        return grpc.stream_unary_rpc_method_handler(self._unary(handler, method))

    def _unknown(self, method: str) -> Any:
        async def guarded(context: Context) -> None:
            async with self._guard(context, method, known=False):
                raise NotImplementedError

        return _letting_go(guarded)

    def _unary(self, handler: Any, method: str) -> Any:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def guarded(context: Context) -> bytes:
            async with self._guard(context, method) as party, self._request(handler, context, party, method) as request:
                raw: bytes = handler.response_serializer(await inner(request, context))
                party.work(len(raw) / BYTES_A_UNIT, self._clock())
                return raw

        return _letting_go(guarded)

    def _streaming(self, handler: Any, method: str) -> Any:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
        held = BLOCK_BYTES if method in BLOCKS else 0

        async def guarded(context: Context) -> None:
            async with (
                self._guard(context, method) as party,
                self._request(handler, context, party, method) as request,
                aclosing(inner(request, context)) as answers,
            ):
                while await self._send_next(answers, handler.response_serializer, context, party, held):
                    pass

        return _letting_go(guarded)

    @asynccontextmanager
    async def _guard(self, context: Context, method: str, *, known: bool = True) -> AsyncIterator[Party]:
        """Admits the caller, then turns what the handler raises into a status."""
        caller, stranger = self._who(context)
        party = self._parties.of(caller.member if caller else "", node=caller is not None and caller.role == NODE)
        try:
            party.enter()
            # Once the answer has been read; gRPC hands over the context.
            context.add_done_callback(lambda _: party.leave())  # type: ignore[arg-type]
            await _pause(party.work(COSTS.get(method, 1.0 if known else REFUSED), self._clock()))
            if stranger is not None:
                raise stranger
            assert caller is not None
            if known:
                self._check_role(caller, method.split("/")[1])
            CALLER.set(caller)
            yield party
            self._note(method, "OK")
        except PlimsollError as error:
            self._note(method if known else "unknown", error.reason)
            party.refused(error, self._clock())
            await abort(context, error.with_traceback(None))  # see _letting_go
        except (grpc.aio.AbortError, grpc.aio.InternalError):  # the second: the caller has gone, as gRPC knows
            raise
        except NotImplementedError:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "there is no such call")
        except Exception:
            self._note(method, "INTERNAL")
            log.exception("handler failed", method=method)
            await abort(context, PlimsollError("INTERNAL", "the node failed to serve this call; its log says why"))

    def _who(self, context: Context) -> tuple[Caller | None, Refused | None]:
        """The caller, or why its certificate is refused."""
        presented = context.auth_context().get("x509_pem_cert")
        if not presented:
            return None, Refused("NO_CERTIFICATE", "a client certificate is needed")
        try:
            return self._identify(bytes(next(iter(presented)))), None
        except Refused as error:
            return None, error

    def _check_role(self, caller: Caller, service: str) -> None:
        if caller.role not in ROLES.get(service, frozenset()):
            raise Refused("ROLE", f"{service} is not open to the role {caller.role}")
        if service in OWN_ONLY and caller.member != self._member:
            raise Refused("NOT_OURS", f"{service} serves the people of {self._member} only")

    # -- what comes in

    @asynccontextmanager
    async def _request(self, handler: Any, context: Context, party: Party, method: str) -> AsyncIterator[Any]:
        """The message of a call, or the stream of them. Its bytes count as held until the call is served."""
        if handler.request_streaming:
            yield self._requests(handler, context, party, method)
            return
        raw = await self._receive(context, party)
        if raw is None:
            raise InvalidInput("BAD_MESSAGE", "the call has no message")
        held = len(raw)
        try:
            request = _message(handler, raw)
            del raw
            yield request
        finally:
            party.requests.give(held)

    async def _requests(self, handler: Any, context: Context, party: Party, method: str) -> AsyncIterator[Any]:
        while (raw := await self._receive(context, party)) is not None:
            try:
                yield _message(handler, raw)
            finally:
                party.requests.give(len(raw))
            await _pause(party.work(COSTS.get(method, 1.0), self._clock()))

    async def _receive(self, context: Context, party: Party) -> bytes | None:
        """One message's bytes, which are the caller's to give back; None where there are no more.

        Room for the largest is taken before a byte is read, as nobody says beforehand how long a message is.
        """
        await party.requests.take(MAX_MESSAGE)
        kept = 0
        try:
            raw = await _in_time(context.read(), party, "the request does not arrive")
            if raw is EOF:
                return None
            kept = len(raw)
        finally:
            party.requests.give(MAX_MESSAGE - kept)
        party.work(kept / BYTES_A_UNIT, self._clock())
        return bytes(raw)

    # -- what goes out

    async def _send_next(
        self, answers: AsyncIterator[Any], serialize: Callable[[Any], bytes], context: Context, party: Party, held: int
    ) -> bool:
        """Makes and sends one answer of a stream, in the party's turn; False at the end."""
        async with party.answers.held(held):
            answer = await anext(answers, None)
            if answer is None:
                return False
            raw = serialize(answer)
            del answer
            await _pause(party.work(len(raw) / BYTES_A_UNIT, self._clock()))
            try:
                await _in_time(context.write(raw), party, "what was asked for is not read")
            except Exhausted as error:
                # Still in the party's turn: gRPC keeps what was not read until the caller reads it or goes away.
                await abort(context, error)
        return True


def _letting_go(serve: Callable[[Context], Awaitable[Any]]) -> Any:
    """A handler for gRPC. When a call is aborted gRPC keeps the exception in a circle with the call, and with it, until
    the collector comes by, whatever its traceback leads to: the request, of up to 4 MiB."""

    async def served(_: Any, context: Context) -> Any:
        try:
            return await serve(context)
        except grpc.aio.AbortError as over:
            over.__context__ = None
            raise over.with_traceback(None)  # noqa: B904 -- it is the same

    return served


async def _pause(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)


async def _in_time(transfer: Any, party: Party, what: str) -> Any:
    """Raises Exhausted (TOO_SLOW). A node's own people may take all the time they want."""
    if party.limits is None:
        return await transfer
    try:
        async with asyncio.timeout(party.limits.stall):
            return await transfer
    except TimeoutError as error:
        raise Exhausted("TOO_SLOW", f"{what} within {party.limits.stall:.0f} s") from error


def _message(handler: Any, raw: bytes) -> Any:
    try:
        return handler.request_deserializer(raw)
    except DecodeError as error:
        raise InvalidInput("BAD_MESSAGE", "these bytes are no message of this call") from error


async def abort(context: Context, error: PlimsollError) -> Never:
    """Ends the call with the error as a rich status; always raises."""
    status = refusal.to_status(error)
    code = getattr(grpc.StatusCode, error.grpc_status)
    await context.abort(code, str(error.message), ((refusal.TRAILER, status.SerializeToString()),))
    raise AssertionError("abort raises")
