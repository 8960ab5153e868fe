"""What gossip spares itself and what it must not: blocks that bring nothing, pushes that a request makes needless."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain
from ledger.errors import PlimsollError, Unavailable
from tests.review.peers import chain, entry, gossip_over, origin, peer, signer

AUTHOR = "lender-3"
OWN = origin("lender-1")


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


class NoThreads(ThreadPoolExecutor):
    """For what must do without."""

    def submit(self, *_, **__):
        raise AssertionError("a thread is asked for")


def grown(number: int, size: int) -> Chain:
    """The chain of lender-<number>, with so many entries of its own."""
    held = chain()
    held.own(signer(number)).append([entry(each) for each in range(size)])
    return held


def whole(held: Chain) -> peer_pb2.Block:
    return next(iter(blocks_from(held.log(AUTHOR), 0)))


async def test_a_block_that_is_held_takes_no_thread_and_a_forged_one_with_its_head_is_still_refused(threads):
    held, block = chain(), whole(grown(3, 5))
    assert await gossip_over(held, [], threads).take(block) == 5
    assert await gossip_over(held, [], NoThreads()).take(block) == 5
    forged = peer_pb2.Block()
    forged.CopyFrom(block)
    forged.entries[2] = entry(77)
    with pytest.raises(PlimsollError) as caught:
        await gossip_over(held, [], threads).take(forged)
    assert caught.value.reason == "ROOT_MISMATCH"


@pytest.mark.parametrize("fails", [False, True])
async def test_what_a_request_brings_is_pushed_only_if_the_request_fails(threads, fails):
    pushed: list[int] = []

    async def push(request, context):
        block = peer_pb2.PushRequest.FromString(request).block
        pushed.extend(range(block.start, block.start + len(block.entries)))
        return peer_pb2.PushResponse(size=block.start + len(block.entries)).SerializeToString()

    async with peer("lender-2", Push=push) as link:
        gossip = gossip_over(grown(1, 3), [link], threads)
        try:
            with gossip.bringing("lender-2", OWN, 3):
                if fails:
                    raise Unavailable("UNREACHABLE", "it went away")
        except Unavailable:
            assert fails
        assert (OWN in gossip._peers["lender-2"].dirty) is fails
        running = asyncio.create_task(gossip._push_loop(gossip._peers["lender-2"]))
        await asyncio.sleep(0.3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert pushed == ([0, 1, 2] if fails else [])
