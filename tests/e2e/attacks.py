"""Attacks on one node, from a process of their own: `python -m tests.e2e.attacks <plan as JSON>`.

Each goes on for the given seconds, as fast as this program can; at the end it prints, as JSON, how its calls ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from plimsoll.v1 import peer_pb2

from tests.e2e.h2 import Connection, tls

MIB = 1 << 20
PEER = "/plimsoll.v1.PeerService/"
CHANNELS, CALLS = 4, 64
PATIENCE = 3.0


@dataclass(frozen=True)
class Plan:
    """attack: the name of a function below. address: host:port. name: in the node's certificate. Files hold PEM.

    request: a file with the message that is sent, where an attack takes one. origin: of a log with large entries.
    """

    attack: str
    address: str
    name: str
    authority: str
    key: str
    certificate: str
    origin: str
    request: str = ""
    seconds: float = 4.0

    def encode(self) -> str:
        return json.dumps(asdict(self))


class Attack:
    """What all of them need."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ends: Counter[str] = Counter()
        self.until = time.monotonic() + plan.seconds

    @property
    def going_on(self) -> bool:
        return time.monotonic() < self.until

    def channels(self, count: int = CHANNELS) -> list[Any]:
        authority, key, certificate = (
            Path(each).read_bytes() for each in (self.plan.authority, self.plan.key, self.plan.certificate)
        )
        credentials = grpc.ssl_channel_credentials(authority, key, certificate)
        options = [
            ("grpc.ssl_target_name_override", self.plan.name),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_retries", 0),
        ]
        return [grpc.aio.secure_channel(self.plan.address, credentials, options) for _ in range(count)]

    @staticmethod
    def read(file: str) -> bytes:
        return Path(file).read_bytes()

    def connection(self) -> Connection:
        plan = self.plan
        return Connection(plan.address, plan.name, plan.authority, plan.key, plan.certificate)

    async def flood(self, method: str, *requests: bytes, stream: bool = False) -> None:
        """The same calls over and over, many at a time."""

        async def caller(channel: Any, number: int) -> None:
            while self.going_on:
                request = requests[number % len(requests)]
                number += 1
                try:
                    if stream:
                        async for _ in channel.stream_stream(method)(iter([request] * 100), timeout=PATIENCE):
                            pass
                    else:
                        await channel.unary_unary(method)(request, timeout=PATIENCE)
                    self.ends["OK"] += 1
                except grpc.aio.AioRpcError as error:
                    self.ends[error.code().name] += 1

        channels = self.channels()
        async with asyncio.TaskGroup() as group:
            for channel in channels:
                for number in range(CALLS):
                    group.create_task(caller(channel, number))
        for channel in channels:
            await channel.close(None)


async def heads(attack: Attack) -> None:
    """Heads in a loop."""
    await attack.flood(f"{PEER}Heads", b"")


async def health(attack: Attack) -> None:
    """So are the standard services', which cost nobody anything."""
    await attack.flood("/grpc.health.v1.Health/Check", b"")


async def reflection(attack: Attack) -> None:
    """A hundred questions a call."""
    listing = b"\x3a\x00"  # list_services
    await attack.flood("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", listing, stream=True)


async def unknown(attack: Attack) -> None:
    """Calls that there are not."""
    await attack.flood("/plimsoll.v1.PeerService/Nothing", b"")


async def garbage(attack: Attack) -> None:
    """Messages of nearly 4 MiB that are none."""
    await attack.flood(f"{PEER}Push", b"\xff" * (4 * MIB - 100))


async def too_large(attack: Attack) -> None:
    """Messages that are larger than any may be."""
    await attack.flood(f"{PEER}Push", bytes(6 * MIB))


async def replay(attack: Attack) -> None:
    """The same good message again and again."""
    method, request = attack.plan.request.split("=", 1)
    await attack.flood(f"{PEER}{method}", attack.read(request))


async def lacking(attack: Attack) -> None:
    """Evaluations far ahead of the log, so that the node looks for entries at everybody's."""
    request = peer_pb2.EvaluateRequest(index=1 << 40, elements=[b"x" * 32])
    await attack.flood(f"{PEER}Evaluate", request.SerializeToString())


async def unread(attack: Attack) -> None:
    """Streams of blocks of which nothing is read."""
    request = peer_pb2.PullRequest(origin=attack.plan.origin).SerializeToString()
    channels = attack.channels()
    calls = [channel.unary_stream(f"{PEER}Pull")(request) for channel in channels for _ in range(CALLS)]
    await asyncio.sleep(attack.plan.seconds)
    for call in calls:
        attack.ends[(await call.code()).name if call.done() else "OPEN"] += 1
        call.cancel()
    for channel in channels:
        await channel.close(None)


async def reset(attack: Attack) -> None:
    """Calls that are cancelled as soon as they are made."""

    async def caller(channel: Any) -> None:
        while attack.going_on:
            call = channel.unary_unary(f"{PEER}Heads")(b"")
            await asyncio.sleep(0)
            call.cancel()
            with suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await call
            attack.ends["CANCELLED"] += 1

    channels = attack.channels()
    await asyncio.gather(*(caller(channel) for channel in channels for _ in range(CALLS)))
    for channel in channels:
        await channel.close(None)


async def unsent(attack: Attack) -> None:
    """Messages of which all but the end is sent, as far as the node takes it."""
    connections = [attack.connection() for _ in range(CHANNELS)]
    for connection in connections:
        for _ in range(CALLS):
            connection.call(f"{PEER}Push")
            connection.message_begins(4 * MIB - 200)
    while attack.going_on:
        sent = sum([connection.push(64 * 1024) for connection in connections])
        attack.ends["BYTES"] += sent
        await asyncio.sleep(0 if sent else 0.05)
    for connection in connections:
        attack.ends["STREAMS"] += connection.open_streams
        connection.close()


async def unanswered(attack: Attack) -> None:
    """Calls whose answer the caller never takes: its window is empty from the start."""
    connections = [attack.connection() for _ in range(CHANNELS)]
    while attack.going_on:
        for connection in connections:
            connection.window(0)
            while connection.open_streams < 120:
                connection.call(f"{PEER}Heads")
                connection.message(b"")
            connection.push(0)
        await asyncio.sleep(0.02)
    for connection in connections:
        attack.ends["STREAMS"] += connection.open_streams
        connection.close()


async def pings(attack: Attack) -> None:
    """Pings without end, over connections that are made again as soon as they are closed."""
    connection = attack.connection()
    while attack.going_on:
        try:
            for _ in range(50):
                connection.ping()
            connection.push(0)
            attack.ends["PINGS"] += 50
        except OSError:
            attack.ends["CLOSED"] += 1
            connection.close()
            connection = attack.connection()
        await asyncio.sleep(0)
    connection.close()


async def connections(attack: Attack) -> None:
    """Connections on which nothing is ever said, and some on which TLS has been set up and nothing more."""
    plan = attack.plan
    host, _, port = plan.address.rpartition(":")
    opened: list[socket.socket] = []
    for number in range(600):
        with suppress(OSError):
            opened.append(socket.create_connection((host, int(port)), 5))
        if number % 20 == 0:
            with suppress(OSError):
                opened.append(tls(plan.name, plan.address, plan.authority, plan.key, plan.certificate))
    attack.ends["OPENED"] = len(opened)
    await asyncio.sleep(max(0.0, attack.until - time.monotonic()))
    for each in opened:
        each.setblocking(False)
        try:
            while each.recv(65_536):
                pass
            attack.ends["CLOSED"] += 1
        except (BlockingIOError, ssl.SSLWantReadError):
            attack.ends["OPEN"] += 1
        except OSError:
            attack.ends["CLOSED"] += 1
        each.close()


ATTACKS: dict[str, Callable[[Attack], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        heads, health, reflection, unknown, garbage, too_large, replay, lacking, unread, reset, unsent, unanswered,
        pings, connections,
    )
}  # fmt: skip


def main() -> None:
    attack = Attack(Plan(**json.loads(sys.argv[1])))
    asyncio.run(_run(attack))
    print(json.dumps(attack.ends), flush=True)
    os._exit(0)


async def _run(attack: Attack) -> Any:
    return await ATTACKS[attack.plan.attack](attack)


if __name__ == "__main__":
    main()
