"""The self-fork guard: who must have spoken before this node signs."""

from __future__ import annotations

import pytest

from ledger.errors import Unready
from node.chain import guard
from node.chain.guard import SelfForkGuard


@pytest.mark.parametrize(("others", "needed"), [(2, 2), (3, 2), (4, 3), (5, 3), (99, 50)])
def test_more_than_half_of_the_others_must_have_spoken(others, needed):
    waiting = SelfForkGuard(others)
    for number in range(needed):
        assert not waiting.is_open
        waiting.hear(f"lender-{number}")
    assert waiting.is_open


def test_a_member_that_repeats_itself_counts_once():
    waiting = SelfForkGuard(4)
    for _ in range(9):
        waiting.hear("lender-2")
    assert not waiting.is_open


async def test_an_append_that_nobody_vouches_for_is_refused(monkeypatch):
    monkeypatch.setattr(guard, "PATIENCE", 0.05)
    with pytest.raises(Unready) as caught:
        await SelfForkGuard(4).passed()
    assert caught.value.reason == "UNCONFIRMED_LOG"
    assert "0 of 3" in caught.value.message


async def test_alone_signs_at_once():
    await SelfForkGuard(4, alone=True).passed()


async def test_one_larger_head_under_its_key_binds_a_node_whoever_else_has_spoken():
    for waiting in (SelfForkGuard(4), SelfForkGuard(4, alone=True)):
        waiting.bind(9)
        for number in range(4):
            waiting.hear(f"lender-{number}", 8)
        assert not waiting.is_open
        waiting.hear("lender-1", 9)
        assert waiting.is_open


async def test_a_node_whose_twin_has_signed_stops_signing_until_it_holds_all_of_it(monkeypatch):
    monkeypatch.setattr(guard, "PATIENCE", 0.05)
    waiting = SelfForkGuard(2)
    waiting.hear("lender-2", 5)
    waiting.hear("lender-3", 5)
    await waiting.passed()
    waiting.bind(7)
    with pytest.raises(Unready):
        await waiting.passed()
    waiting.hear("lender-3", 7)
    await waiting.passed()
