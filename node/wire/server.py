"""The gRPC server: mutual TLS, the gate before every service, standard health and reflection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from plimsoll.v1 import audit_pb2, lender_pb2, operator_pb2, peer_pb2

from ledger.errors import Unready
from node.wire.gate import Gate
from node.wire.health import Health
from node.wire.links import MAX_MESSAGE

SERVICES: tuple[str, ...] = (
    peer_pb2.DESCRIPTOR.services_by_name["PeerService"].full_name,
    lender_pb2.DESCRIPTOR.services_by_name["LenderService"].full_name,
    audit_pb2.DESCRIPTOR.services_by_name["AuditService"].full_name,
    operator_pb2.DESCRIPTOR.services_by_name["OperatorService"].full_name,
)

#: Calls served at once, should all parties together ask for so many; node.wire.limits says how many each may. More are
#: refused with RESOURCE_EXHAUSTED.
MAX_CALLS = 2048
#: Connections at once, those included of which nothing is known yet; more are closed as soon as they come. Well below
#: what a process may have open, as the stores need files.
MAX_CONNECTIONS = 1000

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_concurrent_streams", 128),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
    # Until TLS is set up and HTTP/2's first frames are there: nobody is known yet, and a place is taken.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    # What a caller may send before anybody asks for it, on each stream: it is kept in memory, and grows to megabytes
    # where gRPC measures how fast the link is. A message that is being read gets a window of its own size.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16 * 1024),
    ("grpc.so_reuseport", 0),
]


class Server:
    """A server that is built, given its services, and then started."""

    def __init__(self, gate: Gate, credentials: grpc.ServerCredentials, listen: str) -> None:
        self.grpc = grpc.aio.server(interceptors=[gate], options=_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        self._health = Health(_names())
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), self.grpc)
        try:
            self.port = self.grpc.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise Unready("CANNOT_LISTEN", f"cannot listen on {listen}: is another node running there?") from error

    async def start(self) -> None:
        """Serves from now on; reports itself as not serving until `serving` says so."""
        await self.serving(False)
        await self.grpc.start()

    async def serving(self, yes: bool) -> None:
        """What the standard health service says: of the node, and of each service."""
        self._health.serving(yes)

    async def stop(self, grace: float) -> None:
        """Takes no new calls and gives those under way `grace` seconds."""
        self._health.stop()
        await self.grpc.stop(grace)


def _names() -> Sequence[str]:
    return ("", *SERVICES)
