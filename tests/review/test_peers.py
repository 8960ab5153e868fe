"""A peer may answer anything at all: it is refused, and the node that asked goes on."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.rpc import status_pb2
from plimsoll.v1 import peer_pb2

from ledger import refusal
from ledger.errors import PlimsollError, Unverified
from tests.review.peers import chain, entry, gossip_over, origin, peer, signer

GARBAGE = b"\xff\xff\xff"


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Calls:
    """Counts calls; `many` is set by the fifth."""

    def __init__(self) -> None:
        self.count = 0
        self.many = asyncio.Event()

    def note(self) -> None:
        self.count += 1
        if self.count == 5:
            self.many.set()


async def runs_on(gossip, calls: Calls) -> None:
    """The gossip goes on calling, and has not ended by itself a while later."""
    running = asyncio.create_task(gossip.run())
    waiting = asyncio.create_task(calls.many.wait())
    await asyncio.wait([running, waiting], timeout=10.0, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.2)
    failed = running.exception() if running.done() else None
    for task in (running, waiting):
        task.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    assert failed is None, failed
    assert calls.many.is_set()


def broken_details() -> bytes:
    """A status whose ErrorInfo is cut short."""
    status = status_pb2.Status(code=3, message="no")
    status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=GARBAGE)
    raw: bytes = status.SerializeToString()
    return raw


@pytest.mark.parametrize("method", ["heads", "push", "decrypt", "evaluate", "prove"])
async def test_an_answer_that_is_no_message_is_a_refusal(method):
    async def garbage(request, context):
        return GARBAGE

    calls = {
        "heads": (),
        "push": (peer_pb2.Block(),),
        "decrypt": (peer_pb2.DecryptRequest(),),
        "evaluate": (peer_pb2.EvaluateRequest(),),
        "prove": (peer_pb2.ProveRequest(),),
    }
    async with peer("lender-2", **{method.capitalize(): garbage}) as link:
        with pytest.raises(Unverified) as caught:
            await getattr(link, method)(*calls[method], 5.0)
    assert caught.value.reason == "BAD_ANSWER"


async def test_a_refusal_that_cannot_be_read_is_a_refusal():
    async def refuse(request, context):
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no", ((refusal.TRAILER, broken_details()),))

    async with peer("lender-2", Heads=refuse) as link:
        with pytest.raises(PlimsollError):
            await link.heads(5.0)


@pytest.mark.parametrize("answer", [GARBAGE, peer_pb2.HeadsResponse(heads=[b"no note"]).SerializeToString()])
async def test_one_peers_nonsense_stops_no_gossip_with_the_others(threads, answer):
    held, calls = chain(), Calls()
    held.own(signer(1)).append([entry(1)])

    async def nonsense(request, context):
        calls.note()
        return answer

    async with peer("lender-2", Heads=nonsense, Push=nonsense) as liar:
        await runs_on(gossip_over(held, [liar], threads), calls)


async def test_a_broken_refusal_stops_no_gossip(threads):
    held, calls = chain(), Calls()
    held.own(signer(1)).append([entry(1)])

    async def refuse(request, context):
        calls.note()
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no", ((refusal.TRAILER, broken_details()),))

    async with peer("lender-2", Heads=refuse, Push=refuse) as liar:
        await runs_on(gossip_over(held, [liar], threads), calls)


async def test_a_peer_that_keeps_saying_it_has_less_is_not_pushed_to_for_ever(threads):
    held, pushed = chain(), []
    held.own(signer(1)).append([entry(number) for number in range(5)])
    sizes = iter([3, 1, 2, 1, 2, 1, 2, 1])

    async def push(request, context):
        pushed.append(request)
        return peer_pb2.PushResponse(size=next(sizes, 0)).SerializeToString()

    async with peer("lender-2", Push=push) as liar:
        gossip = gossip_over(held, [liar], threads)
        (one,) = gossip._peers.values()
        await asyncio.wait_for(gossip._push(one, origin("lender-1")), 3.0)
    assert len(pushed) <= 4


async def test_a_pull_that_brings_nothing_new_ends(threads):
    """Blocks that are good, but held already, for ever."""
    held, author = chain(), chain()
    author.own(signer(2)).append([entry(number) for number in range(3)])
    head = author.log("lender-2").head
    assert head is not None
    good = peer_pb2.Block(
        origin=origin("lender-2"),
        entries=[entry(number) for number in range(3)],
        head=head.note.encode(),
    )

    async def pull(request, context):
        while True:
            yield peer_pb2.PullResponse(block=good).SerializeToString()

    async with peer("lender-2", Pull=pull) as liar:
        gossip = gossip_over(held, [liar], threads)
        (one,) = gossip._peers.values()
        await asyncio.wait_for(gossip._pull(one, origin("lender-2")), 5.0)
    assert held.log("lender-2").size == 3


async def test_more_heads_than_there_are_logs_are_not_read(threads):
    held = chain()
    note = b"x" * 100

    async def heads(request, context):
        return peer_pb2.HeadsResponse(heads=[note] * 30_000).SerializeToString()

    async with peer("lender-2", Heads=heads) as liar:
        gossip = gossip_over(held, [liar], threads)
        (one,) = gossip._peers.values()
        with pytest.raises(Unverified) as caught:
            await gossip._compare(one)
    assert caught.value.reason == "TOO_MANY_HEADS"


async def test_a_head_that_nobody_signed_is_not_believed(threads):
    held = chain()
    claim = f"{origin('lender-3')}\n{2**62}\n{'A' * 43}=\n\n\u2014 {origin('lender-3')} AAAAAAAAAAAA\n".encode()

    async def heads(request, context):
        return peer_pb2.HeadsResponse(heads=[claim]).SerializeToString()

    async with peer("lender-2", Heads=heads) as liar:
        gossip = gossip_over(held, [liar], threads)
        (one,) = gossip._peers.values()
        with pytest.raises(PlimsollError):
            await gossip._compare(one)
    assert max(gossip.known_sizes.values(), default=0) == 0


async def test_a_log_that_a_peer_refuses_holds_up_no_other(threads):
    """A forked log, for instance, is refused for ever; this node's own must reach the peer all the same."""
    held, pushed = chain(), []
    held.own(signer(1)).append([entry(1)])
    held.own(signer(3)).append([entry(3)])
    done = asyncio.Event()

    async def push(request, context):
        block = peer_pb2.PushRequest.FromString(request).block
        pushed.append(block.origin)
        if pushed.count(origin("lender-1")) == 3:
            done.set()
        if block.origin == origin("lender-3"):
            await context.abort(grpc.StatusCode.DATA_LOSS, "FORK")
        return peer_pb2.PushResponse(size=block.start + len(block.entries)).SerializeToString()

    async with peer("lender-2", Push=push) as link:
        gossip = gossip_over(held, [link], threads)
        (one,) = gossip._peers.values()
        pushing = asyncio.create_task(gossip._push_loop(one))
        gossip.grown(origin("lender-3"))
        for number in range(2, 4):
            gossip.grown(origin("lender-3"))
            await asyncio.sleep(0.3)
            held.own(signer(1)).append([entry(number)])
            gossip.grown(origin("lender-1"))
        await asyncio.wait_for(done.wait(), 5.0)
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
