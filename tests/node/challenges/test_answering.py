"""Challenges of own records are answered in public, once each; a flood of them costs its author more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ledger.cache import Cache
from ledger.challenges.challenge import Challenge
from ledger.challenges.challenged import Prover, bands_of
from node.challenges import answering
from node.challenges.record import Doubted
from tests.node.challenges.parties import CEREMONY, Party, until
from tests.node.witnesses import MANIFEST


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "INTERVAL", 0.01)


@asynccontextmanager
async def running(party: Party) -> AsyncIterator[None]:
    task = asyncio.create_task(party.answering.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def challenge(by: Party, *doubted: Doubted) -> None:
    by.append(*(Challenge(int(by.clock.unix()), each.origin, each.index, each.leaf).encode() for each in doubted))


async def test_one_good_answer_serves_for_all_challenges_of_a_record(three: list[Party]) -> None:
    author, *others = three
    record = author.publish()
    for other in others:
        challenge(other, author.doubted(record))
    async with running(author):
        author.holds(others[0])
        await until(lambda: author.answering.counted == 1)
        author.holds(others[1])
        await asyncio.sleep(0.2)
    (answer,) = author.answered()
    prover = Prover(MANIFEST.consortium, CEREMONY.public.fields, Cache(4))
    assert prover.is_wellformed(author.member, author.log.entry(record), answer.proof, bands_of(MANIFEST))
    assert author.answering.alerts == []


async def test_what_is_void_or_about_others_is_not_answered(three: list[Party]) -> None:
    author, other, third = three
    good, closed = author.doubted(author.publish()), author.doubted(author.publish("test:2", open=False))
    foreign = third.doubted(third.publish())
    author.holds(third)
    void = [closed, foreign, replace(good, leaf=bytes(32)), replace(good, index=1), replace(good, origin="nothing")]
    challenge(other, *void)
    author.holds(other)
    async with running(author):
        await asyncio.sleep(0.2)
        assert author.answered() == []
        challenge(other, good)
        author.holds(other)
        await until(lambda: len(author.answered()) == 1)


async def test_a_record_that_cannot_be_proved_is_an_alert_and_tried_again(three: list[Party]) -> None:
    author, other, _ = three
    record = author.lie()
    challenge(other, author.doubted(record))
    author.holds(other)
    async with running(author):
        await until(lambda: bool(author.answering.alerts))
        assert f"entry {record} of {author.member} is challenged" in author.answering.alerts[0]
        assert author.answered() == []


async def test_of_a_flood_as_many_are_answered_as_count(three: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "MAX_COUNTED", 2)
    author, other, _ = three
    records = [author.doubted(author.publish(f"test:{number}")) for number in range(5)]
    challenge(other, *records)
    author.holds(other)
    async with running(author):
        await until(lambda: len(author.answered()) == 2)
        await asyncio.sleep(0.2)
        assert {each.leaf for each in author.answered()} == {each.leaf for each in records[3:]}
        author.clock.leap(answering.WINDOW)
        await asyncio.sleep(0.2)
        assert len(author.answered()) == 2  # the others count no more
        newer = author.doubted(author.publish("test:9"))
        challenge(other, newer)
        author.holds(other)
        await until(lambda: author.answered()[-1].leaf == newer.leaf)


async def test_a_challenge_that_came_while_the_node_was_down_is_answered_at_its_start(three: list[Party]) -> None:
    author, other, _ = three
    challenge(other, author.doubted(author.publish()))
    author.holds(other)
    async with running(author):
        await until(lambda: len(author.answered()) == 1)
    author.answering._seen.clear()
    async with running(author):
        await asyncio.sleep(0.2)
    assert len(author.answered()) == 1
