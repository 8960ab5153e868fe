"""What PeerService and AuditService both serve: heads, and the blocks of one log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain


def heads(chain: Chain) -> list[bytes]:
    """The signed notes of all heads held."""
    return [log.head.note.encode() for log in chain.logs() if log.head is not None]


async def blocks(chain: Chain, origin: str, start: int) -> AsyncIterator[peer_pb2.Block]:
    """Blocks of one log from `start` on, made one at a time off the event loop, as the reader takes them."""
    made = iter(blocks_from(chain.log_by_origin(origin), start))
    while (block := await asyncio.to_thread(next, made, None)) is not None:
        yield block
