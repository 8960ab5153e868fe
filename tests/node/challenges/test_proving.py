"""A member proves its own records to other members: each that is one, to each so many, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

import pytest
from plimsoll.v1 import peer_pb2

from ledger.cache import Cache
from ledger.challenges.challenged import Prover, bands_of
from ledger.queries.inquiry import DAY
from node.challenges import proving
from node.challenges.record import Doubted
from tests.ledger.sample_consortium import loan
from tests.ledger.witnesses import entry
from tests.node.challenges.parties import CEREMONY, Party, parties, refusal
from tests.node.witnesses import MANIFEST


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


@pytest.fixture
async def author(threads: Executor) -> Party:
    return parties(threads)[0]


def request(doubted: Doubted) -> peer_pb2.ProveRequest:
    return peer_pb2.ProveRequest(origin=doubted.origin, index=doubted.index, leaf_hash=doubted.leaf)


async def test_a_record_is_proved_to_any_member(author: Party) -> None:
    index = author.publish()
    answer = await author.proving.answer("lender-2", request(author.doubted(index)))
    prover = Prover(MANIFEST.consortium, CEREMONY.public.fields, Cache(4))
    assert prover.is_wellformed("lender-1", author.log.entry(index), answer.proof, bands_of(MANIFEST))


async def test_who_is_no_member_gets_none(author: Party) -> None:
    doubted = author.doubted(author.publish())
    assert await refusal(author.proving.answer("lender-77", request(doubted))) == "NOT_A_MEMBER"


async def test_only_open_positions_of_its_own_are_proved(threads: Executor) -> None:
    author, other, _ = parties(threads)
    good = author.doubted(author.publish())
    closed = author.doubted(author.publish("test:2", open=False))
    evaluation = author.doubted(author.append(entry(1)))
    foreign = other.doubted(other.publish())
    author.holds(other)
    wrong = [
        closed,
        evaluation,
        foreign,
        replace(good, leaf=bytes(32)),
        replace(good, leaf=b""),
        replace(good, index=1 << 63),
        replace(good, index=3),
        replace(good, origin="nothing"),
        replace(good, origin=foreign.origin),
    ]
    for doubted in wrong:
        assert await refusal(author.proving.answer("lender-2", request(doubted))) == "UNKNOWN_RECORD"


async def test_a_record_that_is_not_wellformed_is_not_proved(author: Party) -> None:
    doubted = author.doubted(author.lie())
    assert await refusal(author.proving.answer("lender-2", request(doubted))) == "CANNOT_PROVE"


async def test_a_member_gets_so_many_new_proofs_a_day_and_others_are_not_short_of_them(
    author: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "MAX_A_DAY", 2)
    records = [author.doubted(author.publish(f"test:{number}")) for number in range(3)]
    for doubted in records[:2]:
        await author.proving.answer("lender-2", request(doubted))
    assert await refusal(author.proving.answer("lender-2", request(records[2]))) == "QUOTA"
    await author.proving.answer("lender-2", request(records[0]))  # which is kept
    await author.proving.answer("lender-3", request(records[2]))
    await author.proving.answer("lender-2", request(records[2]))  # kept by now
    author.clock.leap(DAY)
    another = author.doubted(author.append(author.book.position_entry("lender-1", "test:9", loan(9))))
    await author.proving.answer("lender-2", request(another))
