"""As much of HTTP/2 (RFC 9113) as it takes to misbehave: a connection over mutual TLS whose every frame is the test's.

It answers settings, keeps to the windows that the other side gives, and gives none itself.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections import deque
from contextlib import suppress

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW = 65_535
MAX_FRAME = 16_384


def tls(name: str, address: str, authority: str, key: str = "", certificate: str = "") -> ssl.SSLSocket:
    """A connection over which HTTP/2 is agreed and nothing else has been said. Files hold PEM."""
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["h2"])
    if key:
        context.load_cert_chain(certificate, key)
    host, _, port = address.rpartition(":")
    return context.wrap_socket(socket.create_connection((host, int(port)), 5), server_hostname=name)


class Connection:
    """One; see above. Raises OSError once the other side has closed it."""

    def __init__(self, address: str, name: str, authority: str, key: str, certificate: str) -> None:
        self._socket = tls(name, address, authority, key, certificate)
        self._name = name
        self._stream = -1
        self._room = INITIAL_WINDOW  # the connection's
        self._rooms: dict[int, int] = {}  # by stream that is open on both sides
        self._wanted: deque[int] = deque()  # streams whose message is not all there yet, and never will be
        self._given = INITIAL_WINDOW
        self._received = b""
        self.statuses: list[bytes] = []
        self._socket.sendall(PREFACE + _frame(SETTINGS, 0, 0, b""))
        self._socket.setblocking(False)
        self._out = b""

    @property
    def open_streams(self) -> int:
        """Of which no end was seen."""
        return len(self._rooms)

    def window(self, size: int) -> None:
        """What the other side may send on each stream to come."""
        self._send(_frame(SETTINGS, 0, 0, struct.pack(">HI", 4, size)))

    def call(self, method: str) -> None:
        """Opens a call; what follows is of this one."""
        self._stream += 2
        self._rooms[self._stream] = self._given
        fields = {
            ":method": "POST",
            ":scheme": "https",
            ":path": method,
            ":authority": self._name,
            "te": "trailers",
            "content-type": "application/grpc",
        }
        self._send(_frame(HEADERS, END_HEADERS, self._stream, b"".join(map(_literal, fields.items()))))

    def message(self, raw: bytes) -> None:
        """A whole message, and no more to come. It must fit the window."""
        self._send(_frame(DATA, END_STREAM, self._stream, b"\0" + struct.pack(">I", len(raw)) + raw))

    def message_begins(self, size: int) -> None:
        """Says that a message of this size follows. `push` sends of it what the windows let through."""
        self._send(_frame(DATA, 0, self._stream, b"\0" + struct.pack(">I", size)))
        self._wanted.append(self._stream)

    def ping(self) -> None:
        """One more."""
        self._send(_frame(PING, 0, 0, bytes(8)))

    def push(self, limit: int) -> int:
        """Looks at what has come, and sends up to `limit` bytes of messages that have begun; how many."""
        self._read()
        sent = 0
        for _ in range(len(self._wanted)):
            stream = self._wanted[0]
            self._wanted.rotate(-1)
            size = min(self._room, self._rooms.get(stream, 0), MAX_FRAME, limit - sent)
            if size > 0:
                self._send(_frame(DATA, 0, stream, bytes(size)))
                self._room -= size
                self._rooms[stream] -= size
                sent += size
        self._send(b"")
        return sent

    def close(self) -> None:
        """At once."""
        self._socket.close()

    def _send(self, raw: bytes) -> None:
        self._out += raw
        with suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError):
            while self._out:
                self._out = self._out[self._socket.send(self._out[:65_536]) :]

    def _read(self) -> None:
        with suppress(ssl.SSLWantReadError):
            while chunk := self._socket.recv(65_536):
                self._received += chunk
            raise ConnectionError("closed by the other side")
        while len(self._received) >= 9:
            size = int.from_bytes(self._received[:3], "big")
            if len(self._received) < 9 + size:
                return
            kind, flags, stream = self._received[3], self._received[4], int.from_bytes(self._received[5:9], "big")
            payload, self._received = self._received[9 : 9 + size], self._received[9 + size :]
            self._take(kind, flags, stream, payload)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[at : at + 6])
                if name == 4:  # INITIAL_WINDOW_SIZE, of streams that are open too
                    self._rooms = {key: room + value - self._given for key, room in self._rooms.items()}
                    self._given = value
            self._send(_frame(SETTINGS, ACK, 0, b""))
        elif kind == WINDOW_UPDATE and stream == 0:
            self._room += int.from_bytes(payload, "big")
        elif kind == WINDOW_UPDATE and stream in self._rooms:
            self._rooms[stream] += int.from_bytes(payload, "big")
        elif kind == PING and not flags & ACK:
            self._send(_frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            raise ConnectionError("told to go away")
        elif kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM):
            self._rooms.pop(stream, None)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _literal(field: tuple[str, str]) -> bytes:
    """RFC 7541, section 6.2.2: a literal field that is not indexed, with a new name; texts below 127 bytes."""
    name, value = field
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
