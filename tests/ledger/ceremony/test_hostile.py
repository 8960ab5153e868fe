"""Dishonest custodians, fewer than t of them: what each can try, and what comes of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2

from ledger.ceremony import Ceremony
from ledger.ceremony.entry import (
    Body,
    CloseEntry,
    ComplaintEntry,
    ConfirmationEntry,
    DealingEntry,
    RevealEntry,
    parse_body,
)
from ledger.crypto import group
from tests.ledger.ceremony import villains
from tests.ledger.ceremony.promises import check_agreement, check_shares
from tests.ledger.ceremony.simulation import Twist, World

N, T = 5, 3  # q = 4: one may refuse to go on


@pytest.fixture(params=["founding", "resharing"])
def world(request: pytest.FixtureRequest) -> World:
    return World(N, T, former=(N, T) if request.param == "resharing" else None)


def honest_hold_shares(world: World, *but: int) -> None:
    for node in world.nodes:
        assert bool(node.installed) == (node.index not in but)
    check_agreement(world)
    keys = world.replay().keys
    assert keys is not None
    check_shares(keys, world.context.threshold, [node.installed[0].shares for node in world.nodes if node.installed])


def qualified(ceremony: Ceremony) -> tuple[int, ...]:
    assert ceremony.phase == "final"
    assert ceremony.outcome is not None
    return ceremony.outcome.qualified


# -- bad dealings


@pytest.mark.parametrize("kind", ["off the polynomial", "junk"])
def test_a_bad_share_is_repaired_by_the_dealers_reveal(kind: str, world: World) -> None:
    node = world.node(2)
    node.twist = villains.junk_shares([4]) if kind == "junk" else villains.bad_shares(node, [4])
    assert qualified(world.run()) == (1, 2, 3, 4, 5)
    assert world.node(4).published(ComplaintEntry) == 1
    assert world.node(2).published(RevealEntry) == 1
    honest_hold_shares(world)


def test_a_dealer_that_does_not_reveal_is_left_out(world: World) -> None:
    world.node(2).twist = villains.in_turn(villains.junk_shares([4]), villains.no_reveals)
    assert qualified(world.run()) == (1, 3, 4, 5)
    honest_hold_shares(world, 2)


def test_a_dealer_that_reveals_something_else_is_left_out(world: World) -> None:
    world.node(2).twist = villains.in_turn(villains.junk_shares([4]), villains.wrong_reveals)
    assert qualified(world.run()) == (1, 3, 4, 5)
    # It may be dishonest, but its own share is good.
    honest_hold_shares(world)


def test_what_a_dealer_left_out_dealt_is_erased_at_once(world: World) -> None:
    world.node(2).twist = villains.in_turn(villains.junk_shares([4]), villains.wrong_reveals)
    world.run(until=lambda ceremony: len(ceremony.current.readies) == N)
    assert 2 not in qualified(world.run(away=[5]))
    assert set(world.node(1).state.bundles) == {5}
    assert not world.node(2).state.bundles


def test_bad_shares_of_two_are_each_repaired_by_their_own(world: World) -> None:
    world.node(2).twist = villains.junk_shares([3, 4])
    assert qualified(world.run()) == (1, 2, 3, 4, 5)
    assert world.node(2).published(RevealEntry) == 2
    honest_hold_shares(world)


def test_a_dealer_that_cheats_t_custodians_is_left_out_unopened(world: World) -> None:
    world.node(2).twist = villains.junk_shares([1, 3, 4])
    assert qualified(world.run()) == (1, 3, 4, 5)
    assert world.node(2).published(RevealEntry) <= T - 1
    honest_hold_shares(world)


def forge(change: str, world: World) -> Twist:
    def twist(body: Body) -> list[Body]:
        if not isinstance(body, DealingEntry):
            return [body]
        rows, proofs = body.commitments, body.possessions
        if change == "bad proof":
            return [replace(body, possessions=(proofs[1], proofs[0], *proofs[2:]))]
        if change == "rogue key":
            others = [d.commitments[0][0] for _, d in villains.current(world.node(2)).dealings.values()]
            rogue = group.sub(rows[0][0], group.sum_points(others))
            return [replace(body, commitments=((rogue, *rows[0][1:]), *rows[1:]))]
        if change == "identity":
            return [replace(body, commitments=((group.IDENTITY, *rows[0][1:]), *rows[1:]))]
        if change == "fewer coefficients":
            return [replace(body, commitments=tuple(row[:-1] for row in rows))]
        if change == "more coefficients":
            return [replace(body, commitments=tuple((*row, row[0]) for row in rows))]
        if change == "copy":
            dealings = [e.body for e in world.logs[world.node(1).name] if isinstance(e.body, DealingEntry)]
            return [*(dealings or [replace(body, readies_digest=bytes(32))]), body]
        return [replace(body, readies_digest=bytes(32))]

    return twist


@pytest.mark.parametrize(
    "change",
    ["bad proof", "rogue key", "identity", "fewer coefficients", "more coefficients", "copy", "other readies"],
)
def test_a_forged_dealing_does_not_count(change: str, world: World) -> None:
    world.node(2).twist = forge(change, world)
    world.run(until=lambda ceremony: ceremony.phase == "dealing")
    world.run(away=[2], until=lambda ceremony: len(ceremony.current.dealings) == 4)  # it deals last
    assert qualified(world.run()) == (1, 3, 4, 5)
    assert 2 in world.replay().current.spoilt
    honest_hold_shares(world)


def test_with_a_dealer_less_than_t_another_attempt_begins_and_waits_longer_each_time() -> None:
    world = World(3, 3)
    world.node(2).twist = forge("bad proof", world)
    ceremony = world.run(seconds=200)
    assert ceremony.phase != "final"
    starts = [min(times) for times in ready_times(world).values()]
    waits = [later - earlier for earlier, later in pairwise(starts)]
    assert len(waits) > 2
    assert all(late > 1.5 * early for early, late in pairwise(waits))


def ready_times(world: World) -> dict[bytes, list[int]]:
    times: dict[bytes, list[int]] = {}
    for log in world.raw.values():
        for raw in log:
            entry = entry_pb2.Entry.FromString(raw)
            if entry.WhichOneof("kind") == "ready":
                times.setdefault(entry.ready.ceremony, []).append(entry.time)
    return times


def test_of_two_dealings_all_take_the_first(world: World) -> None:
    node = world.node(2)

    def twist(body: Body) -> list[Body]:
        return [body, *villains.bad_shares(node, [1, 3, 4])(body)] if isinstance(body, DealingEntry) else [body]

    node.twist = twist
    assert qualified(world.run()) == (1, 2, 3, 4, 5)
    assert node.published(DealingEntry) == 2
    honest_hold_shares(world)


# -- false complaints


def test_a_false_complaint_opens_the_complainers_share_and_breaks_nothing(world: World) -> None:
    world.node(5).twist = villains.false_complaints(world.node(5), [2])
    assert qualified(world.run()) == (1, 2, 3, 4, 5)
    assert world.node(2).published(RevealEntry) == 1
    honest_hold_shares(world)


@pytest.mark.parametrize("against", [(1, 2, 3), (1, 2, 3, 4)])
def test_who_complains_of_t_dealers_is_dropped_and_its_share_stays_closed(
    against: tuple[int, ...], world: World
) -> None:
    node = world.node(5)
    attempt = world.run(until=lambda ceremony: ceremony.phase == "confirming").current
    for dealer in against:
        entry = ComplaintEntry(attempt.ceremony, next(iter(attempt.closes)), attempt.dealings[dealer][0])
        world.append(node.name, entry.encode(int(world.now)))
    ceremony = world.run(away=[5])
    assert qualified(ceremony) == (1, 2, 3, 4, 5)
    assert ceremony.outcome is not None
    assert ceremony.outcome.dropped == (5,)
    # Who had not seen all the complaints may have answered.
    assert sum(each.published(RevealEntry) for each in world.nodes) < T
    honest_hold_shares(world, 5)
    assert not any(each.state.bundles for each in world.nodes if each is not node)
    world.run()
    assert not node.installed
    assert node.state.hpke_private == b""


def test_a_dealer_never_opens_t_shares_whoever_complains() -> None:
    """More dishonest custodians than the ceremony can bear; even so no dealer's polynomials become public."""
    world = World(7, 4)
    for index in (3, 4, 5, 6, 7):
        world.node(index).twist = villains.false_complaints(world.node(index), [1, 2])
    world.run(seconds=300)
    for index in (1, 2):
        assert world.node(index).published(RevealEntry) <= 3


# -- closing and confirming


def test_a_close_over_few_dealings_is_as_good(world: World) -> None:
    world.node(1).twist = villains.closes_over(world.node(1), [1, 3, 5])
    assert qualified(world.run()) == (1, 3, 5)
    honest_hold_shares(world)


def test_when_what_is_closed_comes_to_nothing_another_close_follows(world: World) -> None:
    world.node(1).twist = villains.in_turn(
        villains.junk_shares([4]), villains.no_reveals, villains.closes_over(world.node(1), [1, 3, 5])
    )
    assert qualified(world.run()) == (2, 3, 4, 5)
    assert len({e.body for log in world.logs.values() for e in log if isinstance(e.body, CloseEntry)}) == 2
    honest_hold_shares(world, 1)


def test_two_closes_of_one_custodian_split_nobody(world: World) -> None:
    node = world.node(1)

    def twist(body: Body) -> list[Body]:
        if not isinstance(body, CloseEntry):
            return [body]
        return [body, *villains.closes_over(node, [1, 2, 3])(body)]

    node.twist = twist
    assert qualified(world.run()) == (1, 2, 3, 4, 5)
    honest_hold_shares(world)


def test_a_custodian_that_confirms_something_else_is_outvoted(world: World) -> None:
    world.node(3).twist = villains.confirms(bytes([1]) * 32)
    assert world.run().phase == "final"
    assert 3 not in world.replay().current.votes
    honest_hold_shares(world)


def during(ceremony: bytes, twist: Twist) -> Twist:
    return lambda body: twist(body) if body.ceremony == ceremony else [body]


def test_conflicting_confirmations_lead_to_another_attempt(world: World) -> None:
    first = world.context.ceremony_id(1)
    for index in (2, 3):
        world.node(index).twist = during(first, villains.confirms(bytes([index]) * 32))
    ceremony = world.run()
    assert ceremony.phase == "final"
    assert ceremony.current.number == 2
    assert ceremony.failed[0].failed
    honest_hold_shares(world)
    # Other keys for the shares to be sealed to, other polynomials.
    readies = [attempt.readies[i][1].hpke_key for attempt in (*ceremony.failed, ceremony.current) for i in range(1, 6)]
    assert len(set(readies)) == 10


def test_a_split_over_two_closes_leads_to_another_attempt_at_worst() -> None:
    """The network shows one Close to some and the other to the rest until they have confirmed."""
    world = World(4, 3)
    world.run(until=lambda ceremony: ceremony.phase == "closing")
    attempt = world.replay().current
    for index in (1, 2):
        leaves = tuple(attempt.dealings[d][0] for d in ((1, 2, 3) if index == 1 else (2, 3, 4)))
        close = CloseEntry(attempt.ceremony, leaves)
        world.append(world.node(index).name, close.encode(int(world.now)))
    for node in world.nodes:
        node.restart()
        shown, hidden = (1, 2) if node.index in (1, 3) else (2, 1)
        for author in node.seen:
            node.seen[author] = len(world.raw[author])
        if node.index != shown:
            node.seen[world.node(shown).name] = 3
        if node.index != hidden:
            node.seen[world.node(hidden).name] = 2
    for _ in range(2):
        for node in world.nodes:
            node.step()
        world.now += 100
    votes = {e.body.close for log in world.logs.values() for e in log if isinstance(e.body, ConfirmationEntry)}
    assert len(votes) == 2
    ceremony = world.run()
    assert ceremony.phase == "final"
    assert ceremony.current.number == 2
    honest_hold_shares(world)


# -- after the end


def test_a_late_custodian_with_a_bad_share_is_repaired(world: World) -> None:
    world.node(2).twist = villains.junk_shares([5])
    world.run(until=lambda ceremony: len(ceremony.current.readies) == N)
    final = world.run(away=[5])
    assert 2 in qualified(final)
    assert world.run().outcome == final.outcome
    assert world.node(5).published(ComplaintEntry) == 1
    assert world.node(2).published(RevealEntry) == 1
    honest_hold_shares(world)


def test_a_late_custodian_whose_dealer_refuses_stays_without_and_the_keys_stand(world: World) -> None:
    world.node(2).twist = villains.in_turn(villains.junk_shares([5]), villains.no_reveals)
    world.run(until=lambda ceremony: len(ceremony.current.readies) == N)
    final = world.run(away=[5])
    assert world.run().outcome == final.outcome
    honest_hold_shares(world, 5)


def test_a_complaint_behind_its_authors_confirmation_opens_nothing(world: World) -> None:
    world.run()
    attempt = world.replay().current
    entry = ComplaintEntry(attempt.ceremony, next(iter(attempt.closes)), attempt.dealings[1][0])
    world.append(world.node(5).name, entry.encode(int(world.now)))
    world.run()
    assert world.node(1).published(RevealEntry) == 0


# -- all at once


def villainy(world: World, index: int, chance: random.Random) -> Twist:
    node = world.node(index)
    some = [i for i in world.context.indices if chance.random() < 0.5]
    return villains.in_turn(
        chance.choice([villains.bad_shares(node, some), villains.junk_shares(some), villains.in_turn()]),
        chance.choice([villains.no_reveals, villains.wrong_reveals, villains.in_turn()]),
        chance.choice([villains.closes_over(node, [1, 2, 3, 4]), villains.never(CloseEntry), villains.in_turn()]),
        chance.choice(
            [
                villains.false_complaints(node, some),
                villains.confirms(bytes([1]) * 32),
                villains.never(ConfirmationEntry),
                villains.never(DealingEntry),
            ]
        ),
    )


def check_liveness(seed: int) -> None:
    chance = random.Random(seed)
    world = World(N, T, seed)
    bad = chance.randint(1, N)
    world.node(bad).twist = villainy(world, bad, chance)
    for node in world.nodes:
        node.crash_odds = 0.0 if node.index == bad else chance.choice([0.0, 0.1])
    world.run(away=[chance.choice([0, 1, 2, 3, 4, 5])], seconds=chance.choice([1, 10, 60]))
    assert world.run().phase == "final"
    for node in world.nodes:
        assert node.installed or node.index == bad
    check_agreement(world)


def check_safety(seed: int) -> None:
    chance = random.Random(seed)
    world = World(N, T, seed)
    for bad in chance.sample(list(world.context.indices), T - 1):
        world.node(bad).twist = villainy(world, bad, chance)
    world.run(seconds=120)
    check_agreement(world)
    assert all(attempt.final is None for attempt in world.replay().failed)


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_with_as_many_villains_as_may_stay_away_the_honest_come_to_keys(seed: int) -> None:
    check_liveness(seed)


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_with_t_less_one_villains_no_two_hold_shares_of_other_keys(seed: int) -> None:
    check_safety(seed)


@pytest.mark.slow
@pytest.mark.parametrize("check", [check_liveness, check_safety])
def test_many_hostile_ceremonies(check: Callable[[int], None]) -> None:
    for seed in range(40):
        check(seed)


def test_what_villains_append_is_well_formed(world: World) -> None:
    """Else the tests above would show no more than that unsound entries are ignored."""
    world.node(2).twist = villains.in_turn(villains.bad_shares(world.node(2), [4]), villains.wrong_reveals)
    world.run()
    for raw in world.raw[world.node(2).name]:
        parse_body(raw)
    assert [type(e.body) for e in world.logs[world.node(2).name]].count(RevealEntry) == 1
