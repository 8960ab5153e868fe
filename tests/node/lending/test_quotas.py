"""No inquiry is logged that custodians would refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from random import Random

import pytest

from ledger.errors import Exhausted
from ledger.queries.inquiry import DAY
from node.clock import Clock
from node.lending.quotas import Allowance, Used
from tests.ledger.sample_entries import inquiry
from tests.ledger.witnesses import AUTHOR, chain_of, signer
from tests.lenders import manifest

NOW = 1_700_000_000


class At(Clock):
    now = NOW

    def unix(self) -> float:
        return self.now


class Lender:
    """A log, and what may be asked."""

    def __init__(self, executor: Executor) -> None:
        self.chain = chain_of(manifest(5))
        self.own = self.chain.own(signer(1))
        self.clock = At()
        self.rng = Random(1)
        self.allowance = Allowance(lambda: self.chain.log(AUTHOR), executor, self.clock)

    def log(self, *times: int) -> None:
        self.own.append([inquiry(self.rng, time=time) for time in times])

    async def ask(self, limit: int) -> None:
        async with self.allowance.one(limit):
            await asyncio.sleep(0.001)
            self.log(self.clock.now)


@pytest.fixture
def lender() -> Iterator[Lender]:
    with ThreadPoolExecutor(4) as executor:
        yield Lender(executor)


async def test_the_last_inquiry_of_a_day_is_made_and_the_next_one_is_not_logged(lender: Lender) -> None:
    lender.log(NOW - DAY, NOW - DAY + 30, NOW - 5)
    await lender.ask(3)
    with pytest.raises(Exhausted) as refused:
        await lender.ask(3)
    assert (refused.value.reason, refused.value.retry) == ("QUOTA", 30)
    lender.clock.now += 29
    with pytest.raises(Exhausted):
        await lender.ask(3)
    lender.clock.now += 1
    await lender.ask(3)


async def test_of_many_at_once_exactly_as_many_are_logged_as_there_is_room_for(lender: Lender) -> None:
    lender.log(NOW - 100)
    done = await asyncio.gather(*(lender.ask(10) for _ in range(40)), return_exceptions=True)
    assert sum(each is None for each in done) == 9
    assert {type(each) for each in done if each is not None} == {Exhausted}
    assert lender.own.log.size == 10


async def test_one_that_fails_gives_its_room_back(lender: Lender) -> None:
    async def fail() -> None:
        async with lender.allowance.one(1):
            raise ValueError

    failing = [fail() for _ in range(5)]
    assert all(isinstance(each, ValueError) for each in await asyncio.gather(*failing, return_exceptions=True))
    await lender.ask(1)


def test_how_long_to_wait_when_far_more_was_asked_than_is_allowed_now(lender: Lender) -> None:
    lender.log(*(NOW - DAY + second for second in range(1, 11)))
    used = Used(lambda: lender.chain.log(AUTHOR))
    assert used.today("inquiry", NOW) == 10
    assert [used.wait("inquiry", NOW, limit) for limit in (20, 11, 10, 9, 1)] == [0, 0, 1, 2, 10]
