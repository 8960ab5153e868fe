"""What one member does to a node, however much of it, leaves room for the others."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import pytest
from plimsoll.v1 import peer_pb2

from ledger.consortium.history import History
from ledger.errors import Unverified
from ledger.queries.custodian import Custodian
from node.chain.arrivals import Arrivals
from node.chain.committer import Committer
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.consortium import Consortium
from node.custody.ceremonies import Ceremonies
from node.custody.custody import Custody
from node.custody.turns import Turns
from node.custody.vault import Vault
from node.wire.gate import Gate
from node.wire.limits import Limits
from node.wire.tls import Caller
from tests.lenders import lender
from tests.review.peers import MANIFEST, origin, signer
from tests.review.test_forks import history


@pytest.fixture
def threads():
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def custody_over(tmp_path, threads):
    def make(held) -> Custody:
        """lender-1 as custodian."""
        arrivals = Arrivals(30.0)
        guard = SelfForkGuard(0, alone=True)
        gossip = Gossip(held, "lender-1", [], arrivals, guard, threads, 1.0)
        vault = Vault(tmp_path, lender(1).keyring, MANIFEST.consortium, os.urandom)
        committer = Committer(held.own(signer(1)), guard, gossip, arrivals, threads)
        consortium = Consortium("lender-1", History([MANIFEST]))
        ceremonies = Ceremonies(consortium, held, vault, committer, threads, os.urandom)
        return Custody(consortium, held, ceremonies, gossip, arrivals, threads, os.urandom)

    return make


async def test_questions_that_wait_take_no_threads(threads):
    turns = Turns(threads)
    slow = [asyncio.create_task(turns.take("lender-2", lambda: time.sleep(0.2))) for _ in range(10)]
    await asyncio.sleep(0.05)
    started = time.monotonic()
    await asyncio.get_running_loop().run_in_executor(threads, lambda: None)
    assert time.monotonic() - started < 0.1
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_a_member_with_many_questions_delays_anothers_by_one(threads):
    turns = Turns(threads)
    order: list[str] = []

    def work(member):
        time.sleep(0.02)
        order.append(member)

    flood = [asyncio.create_task(turns.take("lender-2", lambda: work("lender-2"))) for _ in range(20)]
    await asyncio.sleep(0.01)
    await turns.take("lender-3", lambda: work("lender-3"))
    assert order.index("lender-3") <= 2
    await asyncio.gather(*flood)


async def test_a_caller_that_goes_away_lets_no_second_thread_in(threads):
    turns = Turns(threads)
    inside, most, guard = 0, 0, threading.Lock()

    def work():
        nonlocal inside, most
        with guard:
            inside, most = inside + 1, max(most, inside + 1)
        time.sleep(0.03)
        with guard:
            inside -= 1

    tasks = [asyncio.create_task(turns.take(f"lender-{1 + n % 3}", work)) for n in range(12)]
    for task in tasks[:8]:
        await asyncio.sleep(0.01)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (most, inside) == (1, 0)


@pytest.mark.parametrize("kind", ["evaluate", "decrypt"])
async def test_who_has_two_histories_is_not_answered(custody_over, kind):
    """Quotas and the release rule are counted from the log: two logs would count half each."""
    held = history(1, 2, 3)
    custody = custody_over(held)
    custody._custodians[1] = cast(Custodian, object())  # never reached
    head = history(2, 2, 3).log("lender-3").head
    assert head is not None
    with pytest.raises(Unverified):
        await custody._gossip.take(peer_pb2.Block(origin=origin("lender-3"), start=5, head=head.note.encode()))
    request = peer_pb2.EvaluateRequest() if kind == "evaluate" else peer_pb2.DecryptRequest()
    with pytest.raises(Unverified) as caught:
        await getattr(custody, kind)("lender-3", request)
    assert caught.value.reason == "FORK"


class Aborted(grpc.aio.AbortError):
    pass


class Context:
    """A call, as far as the gate looks at it."""

    def __init__(self, member: str) -> None:
        self.member = member
        self.code: Any = None
        self.over: Any = None

    def add_done_callback(self, callback):
        self.over = callback

    def auth_context(self):
        return {"x509_pem_cert": [self.member.encode()]}

    async def abort(self, code, details="", trailing_metadata=()):
        self.code = code
        raise Aborted


def identify(pem: bytes) -> Caller:
    return Caller(MANIFEST.consortium, pem.decode(), "node", "home")


METHOD = "/plimsoll.v1.PeerService/Pull"


@asynccontextmanager
async def served(gate: Gate, context: Context):
    """As gRPC would serve the call."""
    try:
        async with gate._guard(cast(Any, context), METHOD):
            yield
    finally:
        context.over(context)


async def stall(gate: Gate, member: str, admitted: asyncio.Semaphore) -> None:
    async with served(gate, Context(member)):
        admitted.release()
        await asyncio.Event().wait()


async def test_stalled_calls_of_one_member_do_not_shut_out_the_others():
    gate, admitted = Gate("lender-1", identify), asyncio.Semaphore(0)
    stalled = [asyncio.create_task(stall(gate, "lender-2", admitted)) for _ in range(Limits().calls)]
    for _ in stalled:
        await admitted.acquire()
    refused = Context("lender-2")
    with pytest.raises(Aborted):
        async with gate._guard(cast(Any, refused), METHOD):
            pass
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.over is None, "it took no place"
    for member in ("lender-3", "lender-1"):
        async with served(gate, Context(member)):
            pass
    for task in stalled:
        task.cancel()
    await asyncio.gather(*stalled, return_exceptions=True)
    async with served(gate, Context("lender-2")):
        pass


class SeesFork:
    """A custodian that was shown a receipt of another history."""

    def answer(self, *asked):
        raise Unverified("FORK", "the receipt's head is not of the log that this custodian holds", "receipt")


async def test_a_receipt_of_another_history_convicts_its_author(custody_over):
    custody = custody_over(history(1, 2, 3))
    custody._custodians[1] = cast(Custodian, SeesFork())
    receipt = history(2, 2, 3).log("lender-3").receipt(4).encode()
    with pytest.raises(Unverified):
        await custody.decrypt("lender-3", peer_pb2.DecryptRequest(receipt=receipt))
    with pytest.raises(Unverified) as caught:
        custody._gossip.check_one_history("lender-3")
    assert caught.value.reason == "FORK"
    custody._gossip.check_one_history("lender-2")
