"""Calls as anybody could make them: bare stubs over a channel, and what a refusal says on the wire.

Refusals are read with grpc-status and googleapis' own messages, not with the product's reader of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from plimsoll.v1 import audit_pb2, lender_pb2, operator_pb2, peer_pb2

from tests.cluster import Cluster

TIMEOUT = 15.0

#: "/package.Service/Method" by short name, e.g. "PeerService.Push"; whether requests and answers are streams.
METHODS: dict[str, tuple[str, bool, bool]] = {
    f"{service.name}.{method.name}": (
        f"/{service.full_name}/{method.name}",
        method.client_streaming,
        method.server_streaming,
    )
    for module in (peer_pb2, lender_pb2, audit_pb2, operator_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


@dataclass(frozen=True)
class Failure:
    """A refused call. path: of the field, from BadRequest; "" where there is none."""

    code: grpc.StatusCode
    reason: str
    path: str
    message: str

    @property
    def brief(self) -> tuple[str, str, str]:
        """Code, reason and path, to be compared."""
        return self.code.name, self.reason, self.path


def failure_of(call: Callable[..., Any], request: Any, timeout: float = TIMEOUT) -> Failure | None:
    """Makes a call of any shape; how it was refused, None where it was not."""
    try:
        answer = call(request, timeout=timeout)
        if isinstance(answer, Iterator):
            for _ in answer:
                pass
    except grpc.RpcError as error:
        return read_failure(error)
    return None


def refusal_of(call: Callable[..., Any], request: Any, timeout: float = TIMEOUT) -> Failure:
    """As `failure_of` for a call that must be refused, with details that say more than the code."""
    failure = failure_of(call, request, timeout)
    assert failure is not None, "the call should have been refused"
    assert failure.reason, failure
    return failure


def read_failure(error: Any) -> Failure:
    """What a failed call carries; reason "" where it has no details, as when nobody answers."""
    status = rpc_status.from_call(error)
    reason = path = ""
    for detail in status.details if status is not None else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
            assert info.domain == "plimsoll"
            reason = info.reason
        elif detail.Is(bad.DESCRIPTOR):
            detail.Unpack(bad)
            path = bad.field_violations[0].field
    return Failure(error.code(), reason, path, error.details() or "")


def bare_call(channel: grpc.Channel, name: str) -> tuple[Callable[..., Any], Any]:
    """(call, empty request) of any method by its short name; messages travel as bytes."""
    path, takes_stream, gives_stream = METHODS[name]
    makers: dict[tuple[bool, bool], Any] = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    call = makers[takes_stream, gives_stream](path, lambda raw: raw, lambda raw: raw)
    return call, iter([b""]) if takes_stream else b""


def peer_stub(cluster: Cluster, caller: str, server: str) -> Any:
    """PeerService of one member's node as another's node reaches it."""
    from plimsoll.v1 import peer_pb2_grpc

    return peer_pb2_grpc.PeerServiceStub(cluster.channel(server, *cluster.node_identity(caller)))
