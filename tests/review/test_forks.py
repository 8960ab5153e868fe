"""An author who shows two histories of its log is found out by gossip alone, whatever the sizes of the two."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.errors import Unverified
from ledger.tlog.checkpoint import SignedHead
from tests.review.peers import chain, entry, gossip_over, origin, peer, signer

AUTHOR = origin("lender-3")


def history(branch: int, common: int, more: int):
    """The chain of a node to which lender-3 showed `common` entries that all know and then `more` of a branch."""
    held = chain()
    author = held.own(signer(3))
    if common:
        author.append([entry(number) for number in range(common)])
    if more:
        author.append([entry(1_000_000 * branch + number) for number in range(more)])
    return held


def serving(held):
    """What an honest node that holds this chain answers."""

    async def heads(request, context):
        found = [log.head.note.encode() for log in held.logs() if log.head is not None]
        return peer_pb2.HeadsResponse(heads=found).SerializeToString()

    async def pull(request, context):
        asked = peer_pb2.PullRequest.FromString(request)
        for block in blocks_from(held.log_by_origin(asked.origin), asked.start, limit=50):
            yield peer_pb2.PullResponse(block=block).SerializeToString()

    return {"Heads": heads, "Pull": pull}


async def compared(mine, theirs):
    """lender-1's gossip after it has compared with lender-2 once."""
    with ThreadPoolExecutor(2) as threads:
        async with peer("lender-2", **serving(theirs)) as link:
            gossip = gossip_over(mine, [link], threads)
            (one,) = gossip._peers.values()
            await asyncio.wait_for(gossip._compare(one), 20.0)
    return gossip


@pytest.mark.parametrize("common", [0, 1, 7, 300])
@pytest.mark.parametrize(("here", "there"), [(1, 1), (5, 5), (5, 2), (300, 1), (2, 5), (1, 300)])
async def test_two_branches_are_found_whoever_holds_the_longer_one(common, here, there):
    gossip = await compared(history(1, common, here), history(2, common, there))
    assert "two histories" in gossip.problems[AUTHOR]


@pytest.mark.parametrize(("here", "there"), [(3, 3), (3, 0), (0, 3), (120, 400)])
async def test_one_history_is_no_fork_whatever_each_holds_of_it(here, there):
    gossip = await compared(history(1, 2, here), history(1, 2, there))
    assert not gossip.problems


async def test_a_peer_that_makes_up_entries_convicts_nobody():
    """Entries that lead to no signed head say nothing about the author."""
    mine, theirs = history(1, 300, 0), history(1, 300, 5)
    answers = serving(theirs)

    async def pull(request, context):
        async for raw in serving(theirs)["Pull"](request, context):
            block = peer_pb2.PullResponse.FromString(raw).block
            block.entries[0] = entry(666)
            yield peer_pb2.PullResponse(block=block).SerializeToString()

    answers["Pull"] = pull
    with ThreadPoolExecutor(2) as threads:
        async with peer("lender-2", **answers) as link:
            gossip = gossip_over(mine, [link], threads)
            (one,) = gossip._peers.values()
            await asyncio.wait_for(gossip._compare(one), 20.0)
    assert not gossip.problems
    assert mine.log("lender-3").size == 300


async def test_a_head_of_another_history_with_a_forged_signature_convicts_nobody():
    mine = history(1, 5, 0)
    head: SignedHead | None = history(2, 0, 3).log("lender-3").head
    assert head is not None
    forged = head.note.encode()[:-6] + b"AAA==\n"

    async def heads(request, context):
        return peer_pb2.HeadsResponse(heads=[forged]).SerializeToString()

    with ThreadPoolExecutor(2) as threads:
        async with peer("lender-2", Heads=heads) as link:
            gossip = gossip_over(mine, [link], threads)
            (one,) = gossip._peers.values()
            with pytest.raises(Unverified):
                await gossip._compare(one)
    assert not gossip.problems
