"""A custodian whose log has ended still has that log's key: what it writes there changes no later key ceremony."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.ceremony import Beginning
from ledger.ceremony.entry import ReadyEntry
from ledger.ceremony.share_sealing import public_key
from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain, Replica
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.ended import EndedLog
from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest, parse_manifest, render_manifest
from ledger.tlog.note import Signer
from node.custody.following import Following
from tests.lenders import lender, manifest
from tests.review.peers import entry

FOUNDING = manifest(3)
ME = "lender-1"
FIRST = Signer.from_seed(FOUNDING.origin(ME), lender(1).keyring.log_seed)
SECOND = Signer.from_seed(FOUNDING.origin(ME) + ".2", bytes(range(32)))
COMMON = 2


def opened(*signers: Signer) -> Chain:
    return Chain(MemoryStore(), [(ME, signer.key.name, signer.key) for signer in signers])


def refreshed() -> Manifest:
    """lender-1 writes its second log from here on, and the shares are dealt anew."""
    first = opened(FIRST)
    first.own(FIRST).append([entry(number) for number in range(COMMON)])
    ended = EndedLog(ME, 1, lender(1).member.log_key, COMMON, first.log(ME).root_at(COMMON))
    members = [replace(lender(1).member, log_key=SECOND.key.public_key), lender(2).member, lender(3).member]
    return parse_manifest(
        render_manifest(
            name="Example", currency="CNY", time_zone="Asia/Shanghai", members=members, policy=FOUNDING.policy,
            after=FOUNDING, ended=[ended], epoch=2, dealt_from=1,
        )
    )  # fmt: skip


AFTER = refreshed()
HISTORY = History([FOUNDING, AFTER])
BEGINNINGS = [Beginning.of(FOUNDING), Beginning.of(AFTER, 2, 1)]


def ready(epoch: int, number: int) -> bytes:
    ceremony = BEGINNINGS[epoch - 1].context(None).ceremony_id(1)
    return ReadyEntry(ceremony, public_key(number.to_bytes(32, "big"))).encode(1)


def written(epoch: int) -> Chain:
    """lender-1 says one thing in its first log, behind its end, and another one in its second."""
    chain = opened(FIRST, SECOND)
    chain.own(FIRST).append([entry(number) for number in range(COMMON)])
    chain.own(FIRST).append([ready(epoch, 1)])
    chain.own(SECOND).append([ready(epoch, 2)])
    return chain


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)], ids=["first-first", "second-first"])
@pytest.mark.parametrize(("epoch", "counts"), [(1, 1), (2, 2)], ids=["begun-before", "begun-after"])
def test_everybody_takes_the_same_entry_in_whatever_order_the_logs_arrive(order, epoch, counts):
    chain, held = written(epoch), opened(FIRST, SECOND)
    following = Following(held)
    for signer in order:
        for block in blocks_from(chain.log_by_origin(signer.key.name), 0):
            Replica(held.log_by_origin(signer.key.name)).apply(block)
        following.entries(BEGINNINGS, None, HISTORY)
    live = following.entries(BEGINNINGS, None, HISTORY)
    restarted = Following(held).entries(BEGINNINGS, None, HISTORY)
    assert live == restarted
    (kept,) = live
    assert isinstance(kept.body, ReadyEntry)
    assert kept.body.hpke_key == public_key(counts.to_bytes(32, "big"))
