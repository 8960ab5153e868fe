"""A member that lies: a server at its address, with its certificate, in front of its real node.

Nodes reach the real node through it and are answered as it likes; the real node sees each caller's own certificate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from cryptography import x509

from ledger.consortium.certificate import named_caller
from node.wire.tls import Presented, server_credentials
from tests.cluster import Cluster

#: (method, request, the real node's answer) to what the caller gets.
Tamper = Callable[[str, bytes, bytes], bytes]
_THREADS = 48


def honest(method: str, request: bytes, answer: bytes) -> bytes:
    """Changes nothing."""
    return answer


class Proxy(grpc.GenericRpcHandler):
    """Stands in for one member, whose node must have been founded `behind`. Ended by `close`."""

    def __init__(self, cluster: Cluster, member: str) -> None:
        self.member = member
        self.tamper: Tamper = honest
        #: Seconds added to every answer of these methods.
        self.delays: dict[str, float] = {}
        #: Calls answered, by method.
        self.calls: dict[str, int] = {}
        self._cluster = cluster
        self._channels: dict[str, grpc.Channel] = {}
        key, certificate = cluster.node_identity(member)
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        address = str(cluster.manifest.member(member).address)
        assert self._server.add_secure_port(
            address, server_credentials(lambda: (cluster.manifest, Presented(key, certificate)))
        )
        self._server.start()

    def close(self) -> None:
        """Nobody answers at the member's address any more."""
        self._server.stop(0.2).wait()

    def service(self, handler_call_details: Any) -> Any:
        """gRPC's hook."""
        method: str = handler_call_details.method
        if method.endswith("/Pull"):
            return grpc.unary_stream_rpc_method_handler(lambda request, context: self._stream(method, request, context))
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._unary(method, request, context))

    def _unary(self, method: str, request: bytes, context: Any) -> bytes:
        name = method.rpartition("/")[2]
        try:
            call = self._onward(context).unary_unary(method, lambda raw: raw, lambda raw: raw)
            answer: bytes = call(request, timeout=context.time_remaining())
        except grpc.RpcError as error:
            _pass_on(error, context)
        time.sleep(self.delays.get(name, 0))
        self.calls[name] = self.calls.get(name, 0) + 1
        return self.tamper(name, request, answer)

    def _stream(self, method: str, request: bytes, context: Any) -> Iterator[bytes]:
        name = method.rpartition("/")[2]
        call = self._onward(context).unary_stream(method, lambda raw: raw, lambda raw: raw)(request, timeout=20)
        context.add_callback(call.cancel)
        try:
            for answer in call:
                yield self.tamper(name, request, answer)
        except grpc.RpcError as error:
            if context.is_active():
                _pass_on(error, context)

    def _onward(self, context: Any) -> grpc.Channel:
        """To the real node, as whoever calls."""
        certificate = x509.load_pem_x509_certificate(context.auth_context()["x509_pem_cert"][0])
        caller = named_caller(certificate, "certificate").member
        if caller not in self._channels:
            self._channels[caller] = self._cluster.channel(self.member, *self._cluster.node_identity(caller))
        return self._channels[caller]


def _pass_on(error: Any, context: Any) -> None:
    context.set_trailing_metadata(error.trailing_metadata())
    context.abort(error.code(), error.details() or "")
