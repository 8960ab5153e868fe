"""Nodes' chains in memory, and peers that answer whatever a test wants, bytes that are no message among them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import RLock

import grpc
import grpc.aio
from plimsoll.v1 import entry_pb2

from ledger.chain.chain import Chain
from ledger.chain.memory_store import MemoryStore
from ledger.tlog.note import Signer
from node.chain.arrivals import Arrivals
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.wire.links import Link
from tests.lenders import lender, manifest

MANIFEST = manifest(3)
SERVICE = "plimsoll.v1.PeerService"
Handler = Callable[[bytes, grpc.aio.ServicerContext], object]


def origin(member: str) -> str:
    return MANIFEST.origin(member)


def signer(number: int) -> Signer:
    """Of lender-<number>'s log."""
    return Signer.from_seed(origin(f"lender-{number}"), lender(number).keyring.log_seed)


def chain() -> Chain:
    names = [(each.name, MANIFEST.origin(each.name), MANIFEST.log_key(each.name)) for each in MANIFEST.members]
    return Chain(MemoryStore(), names, new_lock=RLock)


def entry(number: int) -> bytes:
    """A sound entry; another for each number."""
    evaluation = entry_pb2.Evaluation(count=1, epoch=1, batch_digest=number.to_bytes(32, "big"))
    return entry_pb2.Entry(time=number, evaluation=evaluation).SerializeToString()


def gossip_over(held: Chain, links: list[Link], threads: ThreadPoolExecutor) -> Gossip:
    """lender-1's gossip."""
    return Gossip(held, "lender-1", links, Arrivals(30.0), SelfForkGuard(0, alone=True), threads, 0.05)


@asynccontextmanager
async def peer(name: str, **methods: Handler) -> AsyncIterator[Link]:
    """A link to a peer whose unary methods are these: request bytes in, answer bytes out. `Pull` yields."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, _handlers(methods)),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    try:
        yield Link(name, f"127.0.0.1:{port}", channel)
    finally:
        await channel.close(None)
        await server.stop(0)


def _handlers(methods: Mapping[str, Handler]) -> dict[str, grpc.RpcMethodHandler]:
    handlers = {}
    for name, method in methods.items():
        make = grpc.unary_stream_rpc_method_handler if name == "Pull" else grpc.unary_unary_rpc_method_handler
        handlers[name] = make(method)
    return handlers
