"""Honest resharings: other custodians, another threshold, a lost share; the keys stay."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import chain, count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ceremony import Append, Ceremony, Former, Persist
from ledger.ceremony.entry import CloseEntry, ConfirmationEntry, DealingEntry, ReadyEntry
from ledger.ceremony.state import ParticipantState
from ledger.crypto import group, shamir
from ledger.errors import InvalidInput, Unverified
from ledger.keys import SecretShares
from tests.ledger.ceremony.promises import check_agreement, check_no_contradiction, check_shares
from tests.ledger.ceremony.simulation import QUICK, World, custodians, make_context, shared_keys

seeds = st.integers(0, 2**32)
FORMER = (5, 3)
OTHERS = ("lender-8", "lender-9")


def resharing(names: tuple[str, ...], threshold: int, seed: int = 0, former: tuple[int, int] = FORMER) -> World:
    return World(len(names), threshold, seed, names=names, former=former)


def refresh(seed: int = 0, size: int = 3, threshold: int = 2) -> World:
    return resharing(custodians(size), threshold, seed, (size, threshold))


def former(world: World) -> Former:
    assert world.context.former is not None
    return world.context.former


def shares_of(world: World) -> list[SecretShares]:
    return [node.installed[0].shares for node in world.nodes if node.installed]


def check_same_secrets(world: World, missing: Collection[str] = ()) -> Ceremony:
    """The keys are those of before; every receiver holds shares of them, and the old ones are none of the new."""
    ceremony = world.replay()
    assert ceremony.phase == "final"
    keys, before = ceremony.keys, former(world).keys
    assert keys is not None
    assert (keys.epoch, list(keys)) == (before.epoch + 1, list(before))
    assert not set(chain(*keys.custodians)) & set(chain(*before.custodians))
    assert {node.name for node in world.nodes if node.installed} == set(world.context.custodians) - set(missing)
    check_shares(keys, world.context.threshold, shares_of(world))
    check_agreement(world)
    check_no_contradiction(world)
    return ceremony


@pytest.mark.parametrize(
    ("names", "threshold"),
    [
        (custodians(5), 3),  # refresh
        ((*custodians(4), "lender-9"), 3),  # one replaced
        (custodians(5)[::-1], 3),  # the same with other indices
        (custodians(3), 2),  # fewer
        (custodians(7), 4),  # more
        (custodians(5), 5),  # another threshold
        (OTHERS, 2),  # all replaced
    ],
)
def test_the_secrets_go_to_other_custodians_and_the_keys_stay(names: tuple[str, ...], threshold: int) -> None:
    world = resharing(names, threshold, seed=threshold)
    world.run()
    ceremony = check_same_secrets(world)
    assert ceremony.outcome is not None
    assert ceremony.outcome.qualified == (1, 2, 3, 4, 5)


@settings(max_examples=8)
@given(seeds)
def test_the_order_of_events_does_not_matter(seed: int) -> None:
    world = resharing(("lender-2", "lender-3", "lender-9"), 2, seed, (3, 2))
    world.run()
    check_same_secrets(world)


def test_the_secrets_themselves_are_those_of_before() -> None:
    world = resharing(("lender-4", *OTHERS), 2)
    old = [node.held for node in world.nodes if node.held]
    world.run()
    new = shares_of(world)
    for column, after in zip(zip(*old, strict=True), zip(*new, strict=True), strict=True):
        secret = shamir.interpolate([share.index for share in old][:3], column[:3])
        assert shamir.interpolate([share.index for share in new][:2], after[:2]) == secret


def test_old_and_new_shares_together_make_nothing() -> None:
    """t - 1 of the old and t - 1 of the new, of other custodians: more than t in all."""
    world = refresh(size=5, threshold=3)
    old = [node.held for node in world.nodes if node.held]
    world.run()
    mixed = [*old[:2], *shares_of(world)[2:4]]
    indices = [share.index for share in mixed]
    for key, column in zip(former(world).keys, zip(*mixed, strict=True), strict=True):
        assert group.mul_base(shamir.interpolate(indices, column)) != key
        assert group.mul_base(shamir.interpolate(indices[:3], column[:3])) != key
        assert group.mul_base(shamir.interpolate(indices[1:], column[1:])) != key


# -- who is there


def test_a_lost_share_is_made_good_by_the_others() -> None:
    world = refresh(size=5, threshold=3)
    world.node(4).held = None
    world.run()
    ceremony = check_same_secrets(world)
    assert ceremony.outcome is not None
    assert ceremony.outcome.qualified == (1, 2, 3, 5)
    assert world.node(4).published(DealingEntry) == 0


def test_any_t_dealers_suffice_and_the_others_are_waited_for_only_so_long() -> None:
    world = resharing((*OTHERS, "lender-1"), 2)
    started = world.now
    world.run(away=[2, 4])
    assert started + QUICK.reshare_wait <= world.now < started + QUICK.close_wait
    ceremony = check_same_secrets(world)
    assert ceremony.outcome is not None
    assert ceremony.outcome.qualified == (1, 3, 5)


def test_fewer_than_t_dealers_reshare_nothing() -> None:
    world = resharing(OTHERS, 2)
    ceremony = world.run(away=[2, 4, 5])
    assert ceremony.phase == "dealing"
    assert ceremony.waiting_for == ("lender-2", "lender-4", "lender-5")
    world.run()
    check_same_secrets(world)


def test_nothing_is_dealt_before_all_receivers_are_ready() -> None:
    world = resharing(("lender-1", *OTHERS), 2)
    ceremony = world.run(away=[6])
    assert ceremony.phase == "waiting-for-ready"
    assert ceremony.waiting_for == ("lender-8",)
    assert all(node.published(DealingEntry) == 0 for node in world.nodes)
    world.run()
    check_same_secrets(world)


def test_a_receiver_away_after_its_ready_ends_with_its_shares() -> None:
    world = refresh(size=5, threshold=3)
    world.run(until=lambda ceremony: len(ceremony.current.readies) == 5)
    assert world.run(away=[5]).phase == "final"
    assert not world.node(5).installed
    world.run()
    check_same_secrets(world)


def test_who_leaves_deals_and_receives_nothing() -> None:
    world = resharing(("lender-1", "lender-2", "lender-9"), 2)
    world.run()
    check_same_secrets(world)
    for name in ("lender-3", "lender-4", "lender-5"):
        node = world.named(name)
        assert not node.installed
        assert {kind for kind in (ReadyEntry, CloseEntry, ConfirmationEntry) if node.published(kind)} == set()
        assert node.published(DealingEntry) == 1
        assert not node.state.bundles
        assert node.state.hpke_private == b""
    assert world.named("lender-9").published(DealingEntry) == 0


def test_a_receiver_that_lost_its_secrets_says_so_and_the_others_go_on() -> None:
    world = refresh(size=5, threshold=3)
    world.run(until=lambda ceremony: len(ceremony.current.readies) == 5)
    world.node(5).held = None
    world.node(5).lose_disk()
    world.run()
    check_same_secrets(world, missing=["lender-5"])


def test_a_failed_attempt_is_followed_by_another_with_other_polynomials() -> None:
    world = refresh()
    world.run(until=lambda ceremony: ceremony.phase == "confirming")
    world.node(2).lose_disk()
    world.run(until=lambda ceremony: ceremony.current.number == 2 and len(ceremony.current.readies) == 3)
    for node in world.nodes:
        assert {ParticipantState.from_bytes(state).attempt for state in node.states} == {2}
    world.run()
    ceremony = check_same_secrets(world)
    rows = [attempt.dealings[1][1].commitments for attempt in (*ceremony.failed, ceremony.current)]
    assert [row[0] for row in rows[0]] == [row[0] for row in rows[1]]
    assert [row[1] for row in rows[0]] != [row[1] for row in rows[1]]


def test_who_only_deals_forgets_what_it_dealt_when_the_attempt_fails() -> None:
    world = resharing(("lender-1", "lender-2", "lender-3"), 2)
    world.run(until=lambda ceremony: ceremony.phase == "confirming")
    leaver = world.named("lender-5")
    first = set(leaver.state.bundles.values())
    assert len(first) == 3
    world.node(2).lose_disk()
    world.run()
    assert check_same_secrets(world).current.number == 2
    assert all(not first & set(ParticipantState.from_bytes(state).bundles.values()) for state in leaver.states)
    assert leaver.published(DealingEntry) == 2


# -- crashes


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_crash_at_any_point_changes_nothing(number: int) -> None:
    """Of who deals and receives, who only deals, who only receives."""
    for point in count(1):
        world = resharing(("lender-1", "lender-2", "lender-9"), 2, point, (3, 2))
        world.node(number).crash_points = {point}
        world.run()
        assert check_same_secrets(world).current.number == 1
        if not world.node(number).restarts:
            break
    assert point > (6 if number == 3 else 10)


@settings(max_examples=8)
@given(seeds)
def test_however_often_all_of_them_crash_they_come_to_the_same_keys(seed: int) -> None:
    world = resharing(("lender-1", "lender-3", "lender-9"), 2, seed, (3, 2))
    for node in world.nodes:
        node.crash_odds = 0.2
    world.run()
    check_same_secrets(world)


# -- what it is made of


def test_shares_that_do_not_fit_are_not_dealt() -> None:
    world = refresh()
    held = world.node(2).held
    assert held is not None
    world.node(1).held = SecretShares.of(1, 1, list(held))
    with pytest.raises(Unverified):
        world.run()
    assert world.node(1).published(DealingEntry) == 0


def test_what_is_dealt_is_never_persisted() -> None:
    world = refresh()
    held = world.node(1).held
    assert held is not None
    seen: list[bytes] = []
    while world.replay().phase != "final":
        for node in world.nodes:
            for author in node.seen:
                node.seen[author] = len(world.raw[author])
            for action in node.participant.step(node.view(), world.now, node.held):
                if isinstance(action, Persist):
                    seen.append(action.state)
                if not isinstance(action, Append):
                    node.execute(action)
                else:
                    world.append(node.name, action.entry)
        world.now += 1
    for raw in seen:
        state = ParticipantState.from_bytes(raw)
        assert state.shares is None or not set(state.shares) & set(held)


def test_an_epoch_is_dealt_from_one_before_it() -> None:
    keys, _ = shared_keys(3, 2, lambda size: bytes([7]) * size, epoch=2)
    with pytest.raises(InvalidInput) as refusal:
        replace(make_context(3, 2, epoch=2), former=Former(custodians(3), 2, keys))
    assert refusal.value.reason == "BAD_EPOCH"
    with pytest.raises(InvalidInput):
        Former(custodians(4), 2, keys)
