"""One HTTP connection as the server watches it."""

from __future__ import annotations

import asyncio
import logging
import time

from aiohttp import web

#: Seconds between two requests, the first one's wait included.
IDLE = 60.0
#: Seconds from the first byte of a request to the end of its headers.
HEAD = 10.0
#: Bytes of the request line, and of one header; and how many headers.
LINE, HEADERS = 4096, 32
#: Seconds for which what a refused request still sends is thrown away.
LINGERING = 2.0

# What strangers send is no event of ours.
_SILENT = logging.Logger("plimsoll.web", logging.CRITICAL + 1)  # noqa: LOG001 -- nobody else is to find it


class Connection(web.RequestHandler):
    """aiohttp's protocol, and since when it has been waiting for what."""

    __slots__ = ("_heard", "_waiting", "gone")

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=IDLE,
            lingering_time=LINGERING,
            max_line_size=LINE,
            max_field_size=LINE,
            max_headers=HEADERS,
            read_bufsize=1 << 16,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # None is none
            logger=_SILENT,
        )
        #: Set once the connection is over.
        self.gone = loop.create_future()
        self._waiting: float | None = time.monotonic()
        self._heard: float | None = None

    def data_received(self, data: bytes) -> None:
        """asyncio's hook."""
        if data and self._waiting is not None and self._heard is None:
            self._heard = time.monotonic()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """asyncio's hook."""
        super().connection_lost(exc)
        if not self.gone.done():
            self.gone.set_result(None)

    def begins(self) -> None:
        """The headers of a request are here."""
        self._waiting = self._heard = None

    def ends(self) -> None:
        """It is answered, and the next one may come."""
        self._waiting, self._heard = time.monotonic(), None

    def is_late(self, now: float) -> bool:
        """Whether it has been waited for long enough."""
        if self._heard is not None and now - self._heard > HEAD:
            return True
        return self._waiting is not None and now - self._waiting > IDLE

    def abort(self) -> None:
        """Ends it at once; what was not sent yet is not sent."""
        transport = self.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
