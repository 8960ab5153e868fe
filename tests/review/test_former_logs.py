"""A member that writes its second log is known by that one, whatever becomes of the replica of its first."""

from __future__ import annotations

from random import Random

import pytest

from ledger.chain.chain import Chain
from ledger.chain.memory_store import MemoryStore
from ledger.tlog.checkpoint import Head, SignedHead, sign_head
from ledger.tlog.note import Signer
from tests.ledger import sample_entries as sample
from tests.lenders import lender, manifest

MANIFEST = manifest(3)
ME = "lender-1"
FIRST = Signer.from_seed(MANIFEST.origin(ME), lender(1).keyring.log_seed)
SECOND = Signer.from_seed(MANIFEST.origin(ME) + ".2", bytes(range(32)))


def twice_written() -> tuple[Chain, SignedHead]:
    chain = Chain(MemoryStore(), [(ME, key.name, key) for key in (FIRST.key, SECOND.key)])
    rng = Random(3)
    for signer in (FIRST, SECOND):
        chain.own(signer).append([sample.position(rng) for _ in range(4)])
    first = chain.log_by_origin(FIRST.key.name)
    return chain, sign_head(Head(first.origin, 2, first.root_at(2)), FIRST)


@pytest.mark.parametrize("how", ["forget", "set_aside", "repair"])
def test_the_log_a_member_writes_stays_its_log_when_a_former_one_is_begun_anew(how: str):
    chain, head = twice_written()
    if how == "set_aside":  # a node's start, where it holds the branch of a frozen log that was not witnessed
        chain.set_aside(FIRST.key.name, head)
    else:
        getattr(chain, how)(FIRST.key.name)
    assert chain.log(ME).origin == SECOND.key.name
    assert chain.log(ME).size == 4


@pytest.mark.parametrize("how", ["forget", "repair"])
def test_a_log_that_is_begun_anew_itself_is_the_member_s(how: str):
    chain, _ = twice_written()
    old = chain.log(ME)
    getattr(chain, how)(SECOND.key.name)
    assert chain.log(ME) is chain.log_by_origin(SECOND.key.name) is not old
