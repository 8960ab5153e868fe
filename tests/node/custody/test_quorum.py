"""Asking custodians: any t of n, another where one is slow, and who is missing."""

from __future__ import annotations

import asyncio
import time

import pytest

from ledger.errors import Exhausted, Unavailable
from node.custody.quorum import ask_quorum

ORDER = ["a", "b", "c", "d", "e"]


class Custodians:
    """Answers as told: True, False, an error, or seconds to sleep before True."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    async def __call__(self, member):
        self.asked.append(member)
        answer = self.answers.get(member, True)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return True
        return answer


def gone(member):
    return Unavailable("UNREACHABLE", f"{member} does not answer")


async def test_no_more_are_asked_than_needed():
    custodians = Custodians()
    assert await ask_quorum(ORDER, 3, custodians, 1.0) == {}
    assert custodians.asked == ["a", "b", "c"]


async def test_a_wrong_answer_is_replaced_and_its_author_named():
    custodians = Custodians(b=False)
    failures = await ask_quorum(ORDER, 3, custodians, 1.0)
    assert custodians.asked == ["a", "b", "c", "d"]
    assert list(failures) == ["b"]
    assert failures["b"].reason == "BAD_ANSWER"


async def test_a_slow_one_does_not_hold_up_the_answer():
    custodians = Custodians(a=30.0)
    started = time.monotonic()
    assert await ask_quorum(ORDER, 3, custodians, 0.01) == {}
    assert time.monotonic() - started < 5
    assert "d" in custodians.asked


async def test_too_few_are_named_with_the_reason():
    custodians = Custodians(b=gone("b"), d=gone("d"), e=gone("e"))
    with pytest.raises(Unavailable) as caught:
        await ask_quorum(ORDER, 3, custodians, 0.01)
    assert caught.value.reason == "TOO_FEW_CUSTODIANS"
    for member in ("b", "d", "e"):
        assert member in caught.value.message
    assert "2 of 3" in caught.value.message


async def test_a_refusal_of_so_many_that_no_quorum_is_left_is_the_answer():
    refusal = Exhausted("QUOTA", "enough for today")
    with pytest.raises(Exhausted) as caught:
        await ask_quorum(ORDER, 3, Custodians(a=refusal, b=refusal, c=refusal), 0.01)
    assert caught.value.reason == "QUOTA"


async def test_a_single_refusal_hides_nobody_who_is_missing():
    custodians = Custodians(a=Exhausted("QUOTA", "enough"), b=gone("b"), c=gone("c"))
    with pytest.raises(Unavailable) as caught:
        await ask_quorum(ORDER, 3, custodians, 0.01)
    assert "enough" in caught.value.message
    assert "b does not answer" in caught.value.message


async def test_a_bug_is_not_mistaken_for_a_custodian_that_is_down():
    with pytest.raises(ZeroDivisionError):
        await ask_quorum(ORDER, 3, Custodians(a=ZeroDivisionError()), 0.01)
