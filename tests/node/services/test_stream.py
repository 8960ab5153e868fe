"""Many questions in one stream: who is answered when, and what is done for many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from node.services import stream
from node.services.stream import AHEAD, AT_ONCE, side_by_side


@dataclass(frozen=True)
class Question:
    number: int
    size: int = 10

    def ByteSize(self) -> int:  # noqa: N802
        return self.size


@dataclass
class Node:
    """Answers when it is told to."""

    prepared: list[list[int]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    read: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    may_prepare: asyncio.Event = field(default_factory=asyncio.Event)
    most: int = 0
    cancelled: int = 0
    _running: int = 0

    async def questions(self, count: int, size: int = 10) -> AsyncIterator[Question]:
        for number in range(count):
            self.read += 1
            yield Question(number, size)

    async def prepare(self, questions: Sequence[Question]) -> None:
        await self.may_prepare.wait()
        self.prepared.append([each.number for each in questions])

    async def answer(self, question: Question) -> int:
        assert any(question.number in group for group in self.prepared)
        self.asked.append(question.number)
        self._running += 1
        self.most = max(self.most, self._running)
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self._running -= 1
        return question.number


@pytest.fixture
def node() -> Node:
    made = Node()
    made.may_answer.set()
    made.may_prepare.set()
    return made


async def everything(node: Node, count: int, size: int = 10) -> list[int]:
    return [answer async for answer in side_by_side(node.questions(count, size), node.answer, node.prepare)]


async def until_still(node: Node) -> None:
    before = None
    while before != (before := (node.read, len(node.asked), len(node.prepared))):
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AHEAD + 100])
async def test_every_question_is_prepared_once_and_answered_once(node: Node, count: int) -> None:
    assert sorted(await everything(node, count)) == list(range(count))
    assert sorted(number for group in node.prepared for number in group) == list(range(count))
    assert node.most <= AT_ONCE


async def test_what_is_read_while_others_are_answered_is_prepared_together(node: Node) -> None:
    async def slowly(question: Question) -> int:
        await asyncio.sleep(0.002)
        return await node.answer(question)

    async def prepare(questions: Sequence[Question]) -> None:
        await asyncio.sleep(0.02)
        await node.prepare(questions)

    answers = side_by_side(node.questions(4 * AHEAD), slowly, prepare)
    assert len([answer async for answer in answers]) == 4 * AHEAD
    assert len(node.prepared) < 20


async def test_no_more_is_read_ahead_than_there_is_room_for(node: Node) -> None:
    node.may_answer.clear()
    running = asyncio.create_task(everything(node, 10 * AHEAD))
    await until_still(node)
    assert AHEAD <= node.read <= AHEAD + AT_ONCE + 2 * AT_ONCE + 2
    node.may_answer.set()
    assert len(await running) == 10 * AHEAD


async def test_large_questions_are_read_ahead_less_far(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "AHEAD_BYTES", 100)
    node.may_prepare.clear()
    running = asyncio.create_task(everything(node, 40, size=50))
    await until_still(node)
    assert node.read <= 4
    node.may_prepare.set()
    assert len(await running) == 40


async def test_an_answer_comes_before_the_next_question_does(node: Node) -> None:
    asked: asyncio.Queue[Question] = asyncio.Queue()

    async def questions() -> AsyncIterator[Question]:
        while True:
            yield await asked.get()

    answers = side_by_side(questions(), node.answer, node.prepare)
    for number in range(3):
        asked.put_nowait(Question(number))
        assert await asyncio.wait_for(anext(answers), 5) == number
    await answers.aclose()


async def test_a_caller_that_goes_away_ends_what_is_under_way(node: Node) -> None:
    node.may_answer.clear()
    running = asyncio.create_task(everything(node, AT_ONCE))
    await until_still(node)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert node.cancelled == AT_ONCE
