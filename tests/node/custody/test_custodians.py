"""Who is asked, and what a custodian does that does not know yet what its asker knows."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from threading import RLock
from types import SimpleNamespace
from typing import Any, cast

import pytest
from plimsoll.v1 import peer_pb2

from ledger.borrower.evaluation import Evaluation
from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest, parse_manifest, render_manifest
from ledger.errors import PlimsollError
from ledger.queries.custodian import Custodian
from ledger.queries.inquiry import Inquiry
from ledger.tlog.note import Signer
from node.chain.arrivals import Arrivals
from node.chain.committer import Committer
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.consortium import Consortium
from node.custody.ceremonies import Ceremonies
from node.custody.custodians import Custodians
from node.custody.custody import Custody
from node.custody.vault import Vault
from tests.lenders import lender, manifest

FIRST = manifest(5)
ASKER = "lender-5"


def changed() -> Manifest:
    """FIRST, with a new key epoch of three custodians."""
    return parse_manifest(
        render_manifest(
            name=FIRST.name,
            currency=FIRST.currency,
            time_zone=FIRST.time_zone,
            members=FIRST.members,
            policy=FIRST.policy,
            custodians=("lender-5", "lender-1", "lender-3"),
            threshold=2,
            minor_per_major=FIRST.minor_per_major,
            after=FIRST,
            epoch=2,
        )
    )


def test_the_custodians_of_the_keys_that_a_question_was_begun_with_are_asked_whatever_is_in_force_by_now():
    """They hold the old shares for a while yet; of the new custodians some never held any."""
    after = changed()
    in_force = cast(Custody, SimpleNamespace(keeping=after, holds_shares=True))
    links: Any = {f"lender-{n}": SimpleNamespace(reachable=True, latency=n / 100) for n in range(2, 6)}
    custodians = Custodians(Consortium("lender-1", History([FIRST, after])), in_force, links)
    assert custodians.order(FIRST) == ["lender-1", "lender-2", "lender-3", "lender-4", "lender-5"]
    assert custodians.order(after) == ["lender-1", "lender-3", "lender-5"]
    assert custodians.latency(FIRST) == custodians.latency(after) == 0.05
    del links["lender-5"]
    assert custodians.order(after) == ["lender-1", "lender-3"]


class Compared(Gossip):
    """Whoever is compared with knows something new."""

    asked: list[str]

    async def compare(self, member: str) -> None:
        self.asked.append(member)
        self.learn()

    def learn(self) -> None:
        raise NotImplementedError


class Answers:
    """A custodian that has made all its checks."""

    def evaluate(self, *_: object) -> peer_pb2.EvaluateResponse:
        return peer_pb2.EvaluateResponse(epoch=1)

    def answer(self, *_: object) -> peer_pb2.DecryptResponse:
        return peer_pb2.DecryptResponse(custodian=1)


def chain() -> Chain:
    names = [(each.name, FIRST.origin(each.name), FIRST.log_key(each.name)) for each in FIRST.members]
    return Chain(MemoryStore(), names, new_lock=RLock)


@pytest.fixture
def custody(tmp_path):
    """lender-1's, before it knows that keys are final."""
    with ThreadPoolExecutor(2) as threads:
        held, arrivals, guard = chain(), Arrivals(30.0), SelfForkGuard(0, alone=True)
        gossip = Compared(held, "lender-1", [], arrivals, guard, threads, 60.0)
        gossip.asked = []
        own = held.own(Signer.from_seed(FIRST.origin("lender-1"), lender(1).keyring.log_seed))
        committer = Committer(own, guard, gossip, arrivals, threads)
        vault = Vault(tmp_path, lender(1).keyring, FIRST.consortium, os.urandom)
        consortium = Consortium("lender-1", History([FIRST]))
        ceremonies = Ceremonies(consortium, held, vault, committer, threads, os.urandom)
        made = Custody(consortium, held, ceremonies, gossip, arrivals, threads, os.urandom)
        gossip.learn = lambda: made._custodians.update({1: cast(Custodian, Answers())})  # type: ignore[method-assign]
        yield made


def asked(entry: bytes) -> tuple[peer_pb2.Block, bytes]:
    """The asker's log, and the receipt."""
    held = chain()
    held.own(Signer.from_seed(FIRST.origin(ASKER), lender(5).keyring.log_seed)).append([entry])
    return next(iter(blocks_from(held.log(ASKER), 0))), held.log(ASKER).receipt(0).encode()


def evaluation(epoch: int) -> peer_pb2.EvaluateRequest:
    tail, _ = asked(Evaluation(time=1, count=1, epoch=epoch, batch_digest=bytes(32)).encode())
    return peer_pb2.EvaluateRequest(tail=tail, index=0)


def inquiry(epoch: int) -> peer_pb2.DecryptRequest:
    zeros = bytes(32)
    entry = Inquiry(1, bytes(16), 1, zeros, 0, epoch, FIRST.id, (0,) * 5, zeros).encode()
    tail, receipt = asked(entry)
    return peer_pb2.DecryptRequest(entry=entry, receipt=receipt, tail=tail)


async def test_an_asker_that_knows_of_final_keys_is_asked_for_what_it_knows_and_answered(custody):
    assert (await custody.evaluate(ASKER, evaluation(1))).epoch == 1
    assert custody._gossip.asked == [ASKER]


async def test_so_is_one_that_asks_about_a_borrower(custody):
    assert (await custody.decrypt(ASKER, inquiry(1))).custodian == 1
    assert custody._gossip.asked == [ASKER]


@pytest.mark.parametrize(
    "ask", [lambda one: one.evaluate(ASKER, evaluation(1)), lambda one: one.decrypt(ASKER, inquiry(1))]
)
async def test_nobody_is_asked_for_shares_that_will_never_come(custody, ask):
    """By who is no custodian of these keys."""
    custody._member = "lender-9"
    started = asyncio.get_running_loop().time()
    with pytest.raises(PlimsollError, match="NO_SHARES"):
        await ask(custody)
    assert custody._gossip.asked == []
    assert asyncio.get_running_loop().time() - started < 1.0
