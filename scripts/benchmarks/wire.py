"""The bare wire as yardstick: gRPC over mutual TLS between two processes, bytes in and bytes out.

python -m scripts.benchmarks.wire       serves; its first line tells the port and whom to trust, as JSON
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio

from ledger.consortium.caller import Caller, server_name
from ledger.consortium.certificate import certificate_pem, key_pem
from node.homes.authority import issue_authority, issue_leaf
from node.homes.keyring import generate_key

#: Records of 1,000 bytes in one message of a stream.
RECORDS = 100
_SERVICE = "plimsoll.bench.Wire"
_MEMBER = "bench"


class Wire:
    """A connection to the bare server."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._echo: Any = channel.unary_unary(f"/{_SERVICE}/Echo", None, None)
        self._stream: Any = channel.unary_stream(f"/{_SERVICE}/Stream", None, None)

    def echo(self, message: bytes) -> bytes:
        """There and back."""
        answer: bytes = self._echo(message)
        return answer

    def stream(self, messages: int) -> int:
        """Reads so many messages; how many records they had."""
        return RECORDS * sum(1 for _ in self._stream(str(messages).encode()))


@contextmanager
def bare_wire() -> Iterator[Wire]:
    """To a server in a process of its own, which ends with the block."""
    command = [sys.executable, "-m", "scripts.benchmarks.wire"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        key, certificate, authority = (told[name].encode() for name in ("key", "certificate", "authority"))
        credentials = grpc.ssl_channel_credentials(authority, key, certificate)
        options = [("grpc.ssl_target_name_override", server_name(_MEMBER))]
        with grpc.secure_channel(f"127.0.0.1:{told['port']}", credentials, options) as channel:
            yield Wire(channel)
        server.stdin.close()


class _Handler(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # its stub is generic, the class is not
    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method.endswith("/Echo"):
            return grpc.unary_unary_rpc_method_handler(_echo)
        return grpc.unary_stream_rpc_method_handler(_stream)


async def _echo(request: bytes, _: Any) -> bytes:
    return request


async def _stream(request: bytes, _: Any) -> AsyncIterator[bytes]:
    message = os.urandom(RECORDS * 1000)
    for _ in range(int(request)):
        yield message


async def _serve() -> None:
    now, authority_key, key = datetime.now(UTC), generate_key(), generate_key()
    authority = issue_authority(_MEMBER, authority_key, now)
    certificate = issue_leaf(
        authority, authority_key, Caller(bytes(32), _MEMBER, "node", "wire"), key.public_key(), now
    )
    pems = {"key": key_pem(key), "certificate": certificate_pem(certificate), "authority": certificate_pem(authority)}
    credentials = grpc.ssl_server_credentials(
        [(pems["key"], pems["certificate"])], pems["authority"], require_client_auth=True
    )
    server = grpc.aio.server(handlers=(_Handler(),))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    print(json.dumps({"port": port, **{name: pem.decode() for name, pem in pems.items()}}), flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until whoever started it closes the pipe
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(_serve())
