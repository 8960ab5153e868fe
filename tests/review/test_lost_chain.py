"""A custodian that lost its chain says nothing in the key ceremony before it has its own log back."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.chain.block import blocks_from
from ledger.chain.chain import Replica
from ledger.consortium.history import History
from node.chain.arrivals import Arrivals
from node.chain.committer import Committer
from node.chain.gossip import Gossip
from node.chain.guard import SelfForkGuard
from node.consortium import Consortium
from node.custody.ceremonies import Ceremonies
from node.custody.vault import Vault
from tests.lenders import lender
from tests.review.peers import MANIFEST, chain, signer

MEMBER = "lender-1"


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.mark.parametrize("vault_too", [False, True])
async def test_nothing_is_said_twice_after_the_loss_of_the_chain(tmp_path, threads, vault_too):
    secrets = tmp_path / "secrets"
    secrets.mkdir()

    def started(held, guard: SelfForkGuard) -> Ceremonies:
        arrivals = Arrivals(30.0)
        gossip = Gossip(held, MEMBER, [], arrivals, guard, threads, 1.0)
        vault = Vault(tmp_path, lender(1).keyring, MANIFEST.consortium, os.urandom)
        committer = Committer(held.own(signer(1)), guard, gossip, arrivals, threads)
        return Ceremonies(Consortium(MEMBER, History([MANIFEST])), held, vault, committer, threads, os.urandom)

    before = chain()
    await started(before, SelfForkGuard(0, alone=True)).step()
    assert before.log(MEMBER).size == 1
    if vault_too:
        for file in secrets.iterdir():
            file.unlink()

    after, guard = chain(), SelfForkGuard(2)
    ceremonies = started(after, guard)
    for _ in range(3):
        await ceremonies.step()
    assert after.log(MEMBER).size == 0
    for block in blocks_from(before.log(MEMBER), 0):
        Replica(after.log(MEMBER)).apply(block)
    guard.hear("lender-2")
    guard.hear("lender-3")
    for _ in range(3):
        await ceremonies.step()
    assert len(list(after.log(MEMBER).by_kind("ready"))) == 1
    # Without its secrets it can only say that it will confirm nothing.
    assert after.log(MEMBER).size == 1 + vault_too
