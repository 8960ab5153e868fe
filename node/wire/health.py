"""The standard health service. gRPC's own holds a lock while it writes, so one watcher that reads nothing stops it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from ledger.errors import NotFound

_Response = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # untyped
    """All services are in one state: the node's. services: their names; "" is the node."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = frozenset(services)
        self._status = _Response.NOT_SERVING
        self._changed = asyncio.Event()  # of this status; another one for the next
        self._final = False

    def serving(self, yes: bool) -> None:
        """From now on; nothing once the node is being stopped."""
        status = _Response.SERVING if yes and not self._final else _Response.NOT_SERVING
        if status != self._status:
            self._status = status
            self._changed.set()
            self._changed = asyncio.Event()

    def stop(self) -> None:
        """Not serving, for good."""
        self._final = True
        self.serving(False)

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 -- gRPC's names
        """Raises NotFound for a service that is not here, as the standard wants."""
        if request.service not in self._services:
            raise NotFound("UNKNOWN_SERVICE", "there is no such service", "service")
        return _Response(status=self._status)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """The status now and whenever it changes; SERVICE_UNKNOWN, and no end, for a service that is not here."""
        last = None
        while True:
            changed = self._changed
            status = self._status if request.service in self._services else _Response.SERVICE_UNKNOWN
            if status != last:
                yield _Response(status=status)
            last = status
            await changed.wait()
