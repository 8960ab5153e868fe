"""Asking custodians: any t of n, another where one is slow, and who is missing."""

from __future__ import annotations

import asyncio
import time

import pytest

from ledger.errors import Exhausted, Refused, Unavailable, Unready
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


class Late(Custodians):
    """Some learn only with time that the keys are final."""

    def __init__(self, refusals):
        super().__init__()
        self.refusals = refusals

    async def __call__(self, member):
        self.asked.append(member)
        if self.refusals.get(member):
            raise self.refusals[member].pop()
        return True


OTHER, NONE = Refused("OTHER_EPOCH", "the key epoch in force is 1"), Unready("NO_SHARES", "holds no shares")


async def test_who_does_not_know_the_keys_yet_is_asked_again_where_nobody_else_is_left():
    custodians = Late({"a": [OTHER], "b": [OTHER, NONE], "c": [NONE]})
    assert await ask_quorum(ORDER, 5, custodians, 1.0, 5.0) == {}
    assert custodians.asked[:5] == ORDER
    assert set(custodians.asked[5:]) == {"a", "b", "c"}


async def test_but_nobody_waits_for_it_where_others_suffice():
    custodians = Late({"a": [NONE], "b": [OTHER]})
    started = time.monotonic()
    assert sorted(await ask_quorum(ORDER, 3, custodians, 1.0, 5.0)) == ["a", "b"]
    assert custodians.asked == ORDER
    assert time.monotonic() - started < 0.2


async def test_nor_for_ever():
    custodians = Late({"a": [NONE] * 100, "b": [OTHER] * 100, "c": [OTHER] * 100})
    with pytest.raises(Refused, match="OTHER_EPOCH"):
        await ask_quorum(ORDER, 3, custodians, 1.0, 0.3)
    assert 1 < custodians.asked.count("a") < 5


async def test_nor_where_too_few_would_be_left_all_the_same():
    custodians = Late({"a": [gone("a")], "b": [gone("b")], "c": [gone("c")], "d": [NONE]})
    with pytest.raises(Unavailable, match="TOO_FEW_CUSTODIANS"):
        await ask_quorum(ORDER, 3, custodians, 1.0, 60.0)
    assert custodians.asked == ORDER
