"""AuditService: what auditors are shown beside the newest heads."""

from __future__ import annotations

import pytest
from plimsoll.v1 import audit_pb2

from ledger.chain.chain import Chain
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.founding import SignedManifest
from ledger.consortium.history import History
from ledger.consortium.lineage import founded
from ledger.errors import NotFound
from ledger.tlog.checkpoint import SignedHead
from ledger.tlog.receipt import Receipt
from ledger.witnessing.cosigned import verify_witnessed
from ledger.witnessing.witnessed import Witnessed
from node.services.audit import AuditService
from tests.ledger.witnesses import AUTHOR, chain_of, cosigned, head_of, history, name, signer
from tests.lenders import lender, manifest

MANIFEST = manifest(5)
KEY = MANIFEST.log_key(AUTHOR)
ENTRIES = history(20)
TIMES = {1: 1000, 2: 1001, 3: 1002, 4: 1003}


def service(chain: Chain) -> AuditService:
    signed = SignedManifest(MANIFEST, ())
    for number in range(1, 6):
        signed = signed.signed_by(name(number), lender(number).keyring.log_seed)
    lineage = founded(signed.encode())
    return AuditService(chain, lambda: lineage, witnessed(chain))


def witnessed(chain: Chain) -> Witnessed:
    return Witnessed(chain.store, History([MANIFEST]))


@pytest.fixture
def chain() -> Chain:
    """lender-1's log of 20 entries, of which 13 have been witnessed; the others' are empty."""
    chain = chain_of(MANIFEST, MemoryStore())
    chain.own(signer(1)).append(ENTRIES)
    witnessed(chain).add(note(13))
    return chain


def note(size: int, branch: int = 0) -> bytes:
    return cosigned(head_of(history(size, branch), MANIFEST), MANIFEST, TIMES)


async def receipt(chain: Chain, index: int, **how: bool) -> tuple[bytes, SignedHead]:
    """The entry and the head under which it was proved to stand."""
    request = audit_pb2.ReceiptRequest(origin=KEY.name, index=index, **how)
    response = await service(chain).Receipt(request, None)  # type: ignore[arg-type]
    keys = [MANIFEST.cosigner_key(each.name) for each in MANIFEST.members]
    return response.entry, Receipt.parse(response.receipt).verify(response.entry, KEY, keys)


async def notes(chain: Chain) -> list[bytes]:
    response = await service(chain).LatestHeads(audit_pb2.LatestHeadsRequest(), None)  # type: ignore[arg-type]
    return list(response.witnessed)


async def test_the_largest_witnessed_head_of_each_log_is_shown(chain: Chain) -> None:
    witnessed(chain).add(note(7))
    (shown,) = await notes(chain)
    assert verify_witnessed(shown, MANIFEST, AUTHOR).head == head_of(ENTRIES[:13], MANIFEST).head


async def test_of_a_log_with_two_witnessed_histories_both_heads_are_shown(chain: Chain) -> None:
    chain.freezer.keep_conflict(KEY.name, note(13), note(12, branch=1))
    assert await notes(chain) == [note(13), note(12, branch=1)]


async def test_nothing_is_shown_where_nothing_was_witnessed() -> None:
    chain = chain_of(MANIFEST, MemoryStore())
    chain.own(signer(1)).append(ENTRIES)
    assert await notes(chain) == []


async def test_a_receipt_is_under_the_newest_head_unless_asked_otherwise(chain: Chain) -> None:
    entry, signed = await receipt(chain, 5)
    assert (entry, signed.head.size, signed.cosignatures) == (ENTRIES[5], 20, ())


@pytest.mark.parametrize("index", [0, 5, 12])
async def test_a_receipt_is_under_the_witnessed_head_with_its_cosignatures_where_that_covers_it(
    chain: Chain, index: int
) -> None:
    entry, signed = await receipt(chain, index, witnessed=True)
    assert (entry, signed.head.size, len(signed.cosignatures)) == (ENTRIES[index], 13, 4)


@pytest.mark.parametrize("index", [13, 19])
async def test_else_it_is_under_the_newest(chain: Chain, index: int) -> None:
    entry, signed = await receipt(chain, index, witnessed=True)
    assert (entry, signed.head.size) == (ENTRIES[index], 20)


async def test_a_witnessed_head_of_another_history_than_the_one_held_proves_nothing_of_it() -> None:
    chain = chain_of(MANIFEST, MemoryStore())
    chain.own(signer(1)).append(ENTRIES)
    witnessed(chain).add(note(13, branch=1))
    _, signed = await receipt(chain, 5, witnessed=True)
    assert signed.head.size == 20


async def test_a_witnessed_head_of_more_than_is_held_proves_nothing_yet() -> None:
    chain = chain_of(MANIFEST, MemoryStore())
    chain.own(signer(1)).append(ENTRIES[:9])
    witnessed(chain).add(note(13))
    _, signed = await receipt(chain, 5, witnessed=True)
    assert signed.head.size == 9


@pytest.mark.parametrize("how", [{}, {"witnessed": True}])
async def test_what_is_not_held_has_no_receipt(chain: Chain, how: dict) -> None:
    with pytest.raises(NotFound):
        await receipt(chain, 20, **how)
