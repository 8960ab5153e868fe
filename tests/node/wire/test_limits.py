"""What one party may take of a node, without a network: time is a number, callers are names."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Exhausted, InvalidInput, NotFound, PlimsollError, Refused, Unready, Unverified
from node.wire.limits import BYTES_A_UNIT, CALLS_OF_OWN, COSTS, MIB, REFUSED, Bucket, Limits, Parties, Share

RATE, BURST, DEBT = 100.0, 500.0, 5.0


# -- work


def test_a_burst_costs_no_time_and_what_comes_after_waits_its_turn() -> None:
    bucket = Bucket(RATE, BURST, DEBT, 0.0)
    assert [bucket.take(1, 0.0) for _ in range(int(BURST))] == [0.0] * int(BURST)
    assert [bucket.take(10, 0.0) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])


def test_debt_is_paid_by_time_and_no_more_than_the_burst_is_saved_up() -> None:
    bucket = Bucket(RATE, BURST, DEBT, 0.0)
    assert bucket.take(BURST + 100, 0.0) == pytest.approx(1.0)
    assert bucket.take(100, 2.0) == 0.0
    assert bucket.take(BURST, 1e9) == 0.0
    assert bucket.take(1, 1e9) == pytest.approx(0.01)


def test_debt_is_bounded_so_that_a_party_recovers_soon() -> None:
    bucket = Bucket(RATE, BURST, DEBT, 0.0)
    for _ in range(100):
        bucket.take(BURST, 0.0)
    assert bucket.take(1, 0.0) == pytest.approx(DEBT)
    assert bucket.take(0, DEBT) == 0.0


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    bucket = Bucket(RATE, BURST, DEBT, 1000.0)
    bucket.take(BURST, 1000.0)
    bucket.take(0, 0.0)
    assert bucket.take(RATE, 1000.0) == pytest.approx(1.0)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 200)), max_size=40))
def test_whoever_waits_as_told_never_gets_more_than_burst_and_rate(steps: list[tuple[float, float]]) -> None:
    bucket, now, taken = Bucket(RATE, BURST, DEBT, 0.0), 0.0, 0.0
    for pause, amount in steps:
        now += pause
        now += bucket.take(amount, now)
        taken += amount
        assert taken <= BURST + RATE * now + 1e-6


# -- bytes


async def test_who_wants_more_bytes_than_are_free_waits_until_they_are() -> None:
    share = Share(10)
    await share.take(7)
    waiting = asyncio.create_task(share.take(4))
    await asyncio.sleep(0)
    assert not waiting.done()
    share.give(1)
    await asyncio.wait_for(waiting, 1.0)
    assert share.free == 0


async def test_a_small_wish_does_not_pass_a_large_one_that_came_before() -> None:
    share, order = Share(10), []

    async def hold(amount: int) -> None:
        async with share.held(amount):
            order.append(amount)

    await share.take(5)
    tasks = [asyncio.create_task(hold(amount)) for amount in (8, 1)]
    await asyncio.sleep(0)
    share.give(5)
    await asyncio.gather(*tasks)
    assert order == [8, 1]
    assert share.free == 10


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10), st.booleans()), max_size=12))
async def test_whoever_goes_away_leaves_nothing_behind(wishes: list[tuple[int, bool]]) -> None:
    share = Share(10)

    async def hold(amount: int) -> None:
        async with share.held(amount):
            await asyncio.sleep(0)
            assert share.free >= 0

    tasks = [asyncio.create_task(hold(amount)) for amount, _ in wishes]
    await asyncio.sleep(0)
    for task, (_, leaves) in zip(tasks, wishes, strict=True):
        if leaves:
            task.cancel()
            await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5.0)
    assert share.free == 10


async def test_what_is_granted_in_the_moment_of_going_away_is_given_back() -> None:
    share = Share(10)
    await share.take(10)
    waiting = asyncio.create_task(share.take(10))
    await asyncio.sleep(0)
    share.give(10)  # granted, but the task has not run yet
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert share.free == 10


# -- parties


def parties(now: list[float]) -> Parties:
    return Parties("lender-1", lambda: now[0], Limits(calls=3, work=RATE, burst=BURST))


def test_a_member_s_node_its_people_and_strangers_have_a_share_each() -> None:
    found = parties([0.0])
    shares = [found.of("lender-2", node=True), found.of("lender-2", node=False), found.of("", node=False)]
    assert len(set(map(id, shares))) == 3
    assert found.of("lender-2", node=True) is shares[0]
    for _ in range(3):
        shares[0].enter()
    with pytest.raises(Exhausted) as caught:
        shares[0].enter()
    assert caught.value.reason == "TOO_MANY_CALLS"
    assert caught.value.retry is not None
    shares[1].enter()
    shares[0].leave()
    shares[0].enter()


def test_a_node_s_own_people_are_many_and_never_wait() -> None:
    own = parties([0.0]).of("lender-1", node=False)
    for _ in range(CALLS_OF_OWN):
        own.enter()
    with pytest.raises(Exhausted):
        own.enter()
    assert own.work(1e9, 0.0) == 0.0
    assert own.requests.free > 1 << 60


@pytest.mark.parametrize(
    ("error", "costs"),
    [
        (InvalidInput("A", ""), True),
        (Refused("A", ""), True),
        (Unverified("A", ""), True),
        (Unready("A", ""), False),
        (NotFound("A", ""), False),
        (Exhausted("A", ""), False),
    ],
)
def test_what_is_refused_for_what_it_says_costs_more(error: PlimsollError, costs: bool) -> None:
    party = parties([0.0]).of("lender-2", node=True)
    party.work(BURST, 0.0)
    party.refused(error, 0.0)
    assert party.work(0, 0.0) == pytest.approx(REFUSED / RATE if costs else 0.0)


def test_catching_up_at_full_speed_is_within_a_party_s_share() -> None:
    """60,000 records of 700 bytes a second, in blocks of 1,000, pushed: the dearest way."""
    blocks = 60
    units = blocks * COSTS["/plimsoll.v1.PeerService/Push"] + 60_000 * 700 / BYTES_A_UNIT
    assert units < 0.7 * Limits().work
    assert Limits().request_bytes >= 4 * 4 * MIB
