"""Doubted records: authors are asked directly, and only who shows nothing good is challenged in public."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ledger.queries.inquiry import DAY
from node.challenges import doubting
from tests.ledger.witnesses import entry
from tests.node.challenges.parties import Party, until

HOUR = 3600.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubting, "INTERVAL", 0.01)


@asynccontextmanager
async def asking(party: Party) -> AsyncIterator[None]:
    task = asyncio.create_task(party.doubting._ask_all())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_good_proof_is_remembered_and_goes_nowhere(three: list[Party]) -> None:
    asker, author, _ = three
    record = author.contribution(author.publish())
    asker.holds(author)
    async with asking(asker):
        asker.doubting.ask_about([record])
        await until(lambda: asker.doubting.counts.good == 1)
        asker.doubting.ask_about([record])
        assert not asker.doubting.counts.pending
    assert asker.log.size == 0
    assert asker.links[author.member].asked == 1


async def test_of_all_that_contribute_the_liar_alone_is_challenged(three: list[Party]) -> None:
    asker, honest, liar = three
    own, good, bad = asker.publish(), honest.publish(), liar.lie()
    liar.shows = bytes(25_568)
    asker.holds(honest, liar)
    async with asking(asker):
        asker.doubting.ask_about([asker.contribution(own), honest.contribution(good), liar.contribution(bad)])
        await until(lambda: asker.doubting.counts.challenged == 1 and asker.doubting.counts.good == 1)
        asker.doubting.ask_about([liar.contribution(bad)])
        assert not asker.doubting.counts.pending
    assert asker.challenged() == [liar.doubted(bad)]


@pytest.mark.parametrize("shows", [b"", b"\0", b"\xff" * 25_568, bytes(70_000)])
async def test_what_is_no_proof_is_a_bad_one(three: list[Party], shows: bytes) -> None:
    asker, author, _ = three
    record = author.publish()
    author.shows = shows
    asker.holds(author)
    async with asking(asker):
        asker.doubting.ask_about([author.contribution(record)])
        await until(lambda: asker.challenged() == [author.doubted(record)])


async def test_silence_is_challenged_after_a_day_of_asking(three: list[Party]) -> None:
    asker, author, _ = three
    record = author.publish()
    author.node.is_away = True
    asker.holds(author)
    link = asker.links[author.member]
    async with asking(asker):
        asker.doubting.ask_about([author.contribution(record)])
        for times in range(1, 15):  # pauses are an hour and a half at most
            await until(lambda times=times: link.asked == times)
            asker.clock.leap(1.6 * HOUR)
        assert asker.challenged() == []
        asker.clock.leap(2 * HOUR)
        await until(lambda: asker.challenged() == [author.doubted(record)])


async def test_who_answers_late_is_not_challenged(three: list[Party]) -> None:
    asker, author, _ = three
    record = author.publish()
    author.node.is_away = True
    asker.holds(author)
    async with asking(asker):
        asker.doubting.ask_about([author.contribution(record)])
        await until(lambda: asker.links[author.member].asked == 1)
        author.node.is_away = False
        asker.clock.leap(20 * HOUR)
        await until(lambda: asker.doubting.counts.good == 1)
    assert asker.log.size == 0


async def test_a_liar_that_refuses_is_as_good_as_silent(three: list[Party]) -> None:
    asker, liar, _ = three
    record = liar.lie()
    asker.holds(liar)
    async with asking(asker):
        asker.doubting.ask_about([liar.contribution(record)])
        await until(lambda: asker.links[liar.member].asked == 1)
        asker.clock.leap(DAY)
        await until(lambda: asker.challenged() == [liar.doubted(record)])


async def test_a_member_publishes_so_many_challenges_a_day(three: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubting, "MAX_A_DAY", 2)
    asker, liar, _ = three
    records = [liar.lie(f"test:{number}") for number in range(3)]
    liar.shows = b"nothing"
    asker.holds(liar)
    async with asking(asker):
        asker.doubting.ask_about(list(map(liar.contribution, records)))
        await until(lambda: len(asker.challenged()) == 2)
        asker.clock.leap(2 * HOUR)
        await asyncio.sleep(0.1)
        assert len(asker.challenged()) == 2
        asker.clock.leap(DAY)
        await until(lambda: len(asker.challenged()) == 3)
    assert set(asker.challenged()) == set(map(liar.doubted, records))


async def test_no_more_are_asked_about_at_once_than_there_is_room_for(
    three: list[Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubting, "MAX_PENDING", 2)
    asker, author, _ = three
    asker.doubting.ask_about([author.contribution(author.publish(f"test:{number}")) for number in range(4)])
    assert len(asker.doubting.counts.pending) == 2


async def test_the_random_record_is_any_open_position_of_any_other_member(three: list[Party]) -> None:
    asker, *others = three
    asker.publish()
    allowed = set()
    for author in others:
        for number in range(3):
            allowed.add(author.doubted(author.publish(f"test:{number}")))
            author.append(entry(number))
            author.publish(f"test:closed-{number}", open=False)
    asker.holds(*others)
    drawn = Counter([await asker.doubting.draw() for _ in range(300)])
    assert set(drawn) == allowed
    assert min(drawn.values()) > 20


async def test_where_nobody_has_published_anything_nobody_is_asked(three: list[Party]) -> None:
    assert await three[0].doubting.draw() is None
    assert not three[0].doubting.counts.pending
