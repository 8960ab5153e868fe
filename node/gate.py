"""Who may call what (design section 7): every RPC states the roles it accepts, everything else is refused.

The gate stands before all services. It identifies the caller by its certificate, checks the role, and turns every
PlimsollError into a rich status. Anything else that escapes a handler is a bug of ours: it is logged, and the caller
learns only that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import grpc
import grpc.aio
import structlog
from google.protobuf.message import Message

from ledger import refusal
from ledger.errors import PlimsollError, Refused
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

#: The caller of the RPC being served.
CALLER: ContextVar[Caller] = ContextVar("caller")

Context = grpc.aio.ServicerContext[Any, Any]


class Gate(grpc.aio.ServerInterceptor):
    """Wraps every handler of the server."""

    def __init__(self, member: str, identify: Callable[[bytes], Caller]) -> None:
        self._member = member
        self._identify = identify

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        handler = await continuation(handler_call_details)
        method: str = handler_call_details.method  # type: ignore[attr-defined]  # "/package.Service/Method"
        if handler is None:
            return handler
        service = method.split("/")[1]
        if handler.response_streaming:
            return self._streaming(handler, service, method)
        return self._unary(handler, service, method)

    def _unary(
        self, handler: grpc.RpcMethodHandler[Any, Any], service: str, method: str
    ) -> grpc.RpcMethodHandler[Any, Any]:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
        assert inner is not None

        async def guarded(request: Any, context: Context) -> Message:
            async with self._guard(context, service, method):
                answer: Message = await inner(request, context)  # type: ignore[misc]
                return answer
            raise AssertionError("the guard aborts")

        make = (
            grpc.stream_unary_rpc_method_handler if handler.request_streaming else grpc.unary_unary_rpc_method_handler
        )
        return make(guarded, handler.request_deserializer, handler.response_serializer)  # type: ignore[arg-type]

    def _streaming(
        self, handler: grpc.RpcMethodHandler[Any, Any], service: str, method: str
    ) -> grpc.RpcMethodHandler[Any, Any]:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
        assert inner is not None

        async def guarded(request: Any, context: Context) -> AsyncIterator[Message]:
            async with self._guard(context, service, method):
                async for answer in inner(request, context):  # type: ignore[union-attr]
                    yield answer

        make = (
            grpc.stream_stream_rpc_method_handler if handler.request_streaming else grpc.unary_stream_rpc_method_handler
        )
        return make(guarded, handler.request_deserializer, handler.response_serializer)  # type: ignore[arg-type]

    @asynccontextmanager
    async def _guard(self, context: Context, service: str, method: str) -> AsyncIterator[None]:
        """Admits the caller, then turns what the handler raises into a status."""
        try:
            CALLER.set(self._admit(context, service))
            yield
        except PlimsollError as error:
            await abort(context, error)
        except grpc.aio.AbortError:
            raise
        except Exception:
            log.exception("handler failed", method=method)
            await abort(context, PlimsollError("INTERNAL", "the node failed to serve this call; its log says why"))

    def _admit(self, context: Context, service: str) -> Caller:
        presented = context.auth_context().get("x509_pem_cert")
        if not presented:
            raise Refused("NO_CERTIFICATE", "a client certificate is needed")
        caller = self._identify(bytes(presented[0]))
        if caller.role not in ROLES.get(service, frozenset()):
            raise Refused("ROLE", f"{service} is not open to the role {caller.role}")
        if service in OWN_ONLY and caller.member != self._member:
            raise Refused("NOT_OURS", f"{service} serves the people of {self._member} only")
        return caller


async def abort(context: Context, error: PlimsollError) -> None:
    """Ends the call with the error as a rich status; always raises."""
    status = refusal.to_status(error)
    code = getattr(grpc.StatusCode, error.grpc_status)
    await context.abort(code, str(error.message), ((refusal.TRAILER, status.SerializeToString()),))
