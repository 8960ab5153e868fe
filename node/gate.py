"""Who may call what (design section 7): every RPC states the roles it accepts, everything else is refused.

The gate stands before all services. It identifies the caller by its certificate, checks the role, and turns every
PlimsollError into a rich status. Anything else that escapes a handler is a bug of ours: it is logged, and the caller
learns only that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import grpc
import grpc.aio
import structlog
from google.protobuf.message import DecodeError

from ledger import refusal
from ledger.errors import Exhausted, InvalidInput, PlimsollError, Refused
from node.tls import Caller

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

#: Calls of one other member served at once, so that none takes all the room there is (node.server.MAX_CALLS) by reading
#: what it asked for slowly. A node asks 32 questions at a time.
MAX_CALLS_OF_OTHERS = 96

#: The caller of the RPC being served.
CALLER: ContextVar[Caller] = ContextVar("caller")

Context = grpc.aio.ServicerContext[Any, Any]


class Gate(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # its stub is generic, the class is not
    """Wraps every handler of the server. identify: the caller behind a certificate (PEM), or Refused."""

    def __init__(self, member: str, identify: Callable[[bytes], Caller]) -> None:
        self._member = member
        self._identify = identify
        self._served: Counter[str] = Counter()  # by member: calls being served

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """gRPC's hook: the handler of a call, behind the gate."""
        handler = await continuation(handler_call_details)
        if handler is None:  # gRPC answers UNIMPLEMENTED
            return None
        method: str = handler_call_details.method  # "/package.Service/Method"
        guarded = self._streaming(handler, method) if handler.response_streaming else self._unary(handler, method)
        return guarded(None, handler.response_serializer)  # requests come as bytes: what does not parse is refused here

    def _unary(self, handler: Any, method: str) -> Callable[..., Any]:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
        make: Any = grpc.unary_unary_rpc_method_handler
        if handler.request_streaming:
            make = grpc.stream_unary_rpc_method_handler

        async def guarded(request: Any, context: Context) -> Any:
            async with self._guard(context, method):
                return await inner(_read(handler, request), context)

        return partial(make, guarded)

    def _streaming(self, handler: Any, method: str) -> Callable[..., Any]:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
        make: Any = grpc.unary_stream_rpc_method_handler
        if handler.request_streaming:
            make = grpc.stream_stream_rpc_method_handler

        async def guarded(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self._guard(context, method):
                async for answer in inner(_read(handler, request), context):
                    yield answer

        return partial(make, guarded)

    @asynccontextmanager
    async def _guard(self, context: Context, method: str) -> AsyncIterator[None]:
        """Admits the caller, then turns what the handler raises into a status."""
        try:
            caller = self._admit(context, method.split("/")[1])
            CALLER.set(caller)
            with self._room(caller.member):
                yield
        except PlimsollError as error:
            await abort(context, error)
        except grpc.aio.AbortError:
            raise
        except Exception:
            log.exception("handler failed", method=method)
            await abort(context, PlimsollError("INTERNAL", "the node failed to serve this call; its log says why"))

    @contextmanager
    def _room(self, member: str) -> Iterator[None]:
        """One of the calls that a member may have served at once. Its own are this node's reason to be."""
        if member != self._member and self._served[member] >= MAX_CALLS_OF_OTHERS:
            raise Exhausted("TOO_MANY_CALLS", f"{MAX_CALLS_OF_OTHERS} calls of {member} are being served already")
        self._served[member] += 1
        try:
            yield
        finally:
            self._served[member] -= 1

    def _admit(self, context: Context, service: str) -> Caller:
        presented = context.auth_context().get("x509_pem_cert")
        if not presented:
            raise Refused("NO_CERTIFICATE", "a client certificate is needed")
        caller = self._identify(bytes(next(iter(presented))))
        if caller.role not in ROLES.get(service, frozenset()):
            raise Refused("ROLE", f"{service} is not open to the role {caller.role}")
        if service in OWN_ONLY and caller.member != self._member:
            raise Refused("NOT_OURS", f"{service} serves the people of {self._member} only")
        return caller


def _read(handler: Any, request: Any) -> Any:
    """The message of a call, or the stream of them, out of bytes."""
    return _stream(handler, request) if handler.request_streaming else _message(handler, request)


async def _stream(handler: Any, requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for raw in requests:
        yield _message(handler, raw)


def _message(handler: Any, raw: bytes) -> Any:
    try:
        return handler.request_deserializer(raw)
    except DecodeError as error:
        raise InvalidInput("BAD_MESSAGE", "these bytes are no message of this call") from error


async def abort(context: Context, error: PlimsollError) -> None:
    """Ends the call with the error as a rich status; always raises."""
    status = refusal.to_status(error)
    code = getattr(grpc.StatusCode, error.grpc_status)
    await context.abort(code, str(error.message), ((refusal.TRAILER, status.SerializeToString()),))
