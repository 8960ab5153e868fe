"""What dishonest dealers and receivers can try in a resharing alone; `test_hostile` has what is also a founding's."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ceremony.context import readies_digest
from ledger.ceremony.dealing import deal
from ledger.ceremony.entry import (
    Body,
    CloseEntry,
    ComplaintEntry,
    ConfirmationEntry,
    DealingEntry,
    ReadyEntry,
    RevealEntry,
)
from ledger.ceremony.qualification import GIVEN_UP, Grievance, qualify
from ledger.ceremony.share_sealing import public_key
from ledger.keys import SecretShares
from tests.ledger.ceremony import villains
from tests.ledger.ceremony.promises import check_agreement, check_shares
from tests.ledger.ceremony.script import Script
from tests.ledger.ceremony.simulation import Node, Twist, World
from tests.ledger.ceremony.test_hostile import villainy

WIDER, NARROWER = (7, 4), (3, 2)


def resharing(to: tuple[int, int] = WIDER, former: tuple[int, int] = (5, 3), seed: int = 0) -> World:
    """To as many new members as `to` says, of whom the first two are dealers too."""
    names = ("lender-1", "lender-2", *(f"lender-{30 + number}" for number in range(to[0] - 2)))
    return World(*to, seed, names=names, former=former)


def check_reshared(world: World, *but: str) -> tuple[int, ...]:
    """Every receiver holds shares of the same keys, except these. Gives the qualified dealers."""
    ceremony, former = world.replay(), world.context.former
    assert former is not None
    assert ceremony.outcome is not None
    assert list(ceremony.outcome.keys) == list(former.keys)
    holders = [node for node in world.nodes if node.installed]
    assert {node.name for node in holders} == set(world.context.custodians) - set(but)
    check_agreement(world)
    check_shares(ceremony.outcome.keys, world.context.threshold, [node.installed[0].shares for node in holders])
    return ceremony.outcome.qualified


def deals(node: Node, secrets: SecretShares | None) -> Twist:
    """A dealing right in every way, but of something else than the share it holds."""

    def twist(body: Body) -> list[Body]:
        if not isinstance(body, DealingEntry):
            return [body]
        readies = villains.current(node).readies
        keys = [readies[j][1].hpke_key for j in sorted(readies)]
        threshold = node.world.context.threshold
        other, _ = deal(body.ceremony, node.dealer, threshold, keys, node.world.random.randbytes, secrets)
        dealt = other.commitments, other.possessions, other.sealed_shares
        return [DealingEntry(body.ceremony, body.readies_digest, *dealt)]

    return twist


# -- other secrets


@pytest.mark.parametrize("what", ["random", "another dealer's", "other coordinates"])
def test_a_dealing_of_another_secret_is_void(what: str) -> None:
    world = resharing()
    theirs, mine = world.node(3).held, world.node(2).held
    assert theirs is not None
    assert mine is not None
    secrets = {
        "random": None,
        "another dealer's": theirs,
        "other coordinates": SecretShares.of(1, 2, [*list(mine)[1:], mine.oprf]),
    }
    world.node(2).twist = deals(world.node(2), secrets[what])
    world.run()
    assert check_reshared(world) == (1, 3, 4, 5)
    void = world.replay().current.void
    assert [(each.name, each.reason) for each in void] == [("lender-2", "OTHER_SHARE")]


def test_a_good_dealing_of_another_ceremony_is_void() -> None:
    """Of the attempt before, or of a resharing left behind: proofs and sealed shares are bound to one."""
    first, second = Script(3, 2, 1, (4, 3)).all_ready(), Script(3, 2, 2, (4, 3)).all_ready()
    sealed_to = readies_digest(second.ceremony, [second.logs[i][0].leaf for i in second.context.indices])
    foreign = first.dealing_entry(2)
    second.post(2, replace(foreign, ceremony=second.ceremony, readies_digest=sealed_to))
    assert second.reasons() == {2: "BAD_PROOF"}
    later = replace(second.context, epoch=3)
    assert later.ceremony_id(1) not in (first.ceremony, second.ceremony)


# -- who may say what


def test_who_only_deals_has_no_say_as_receiver_and_who_only_receives_none_as_dealer() -> None:
    world = resharing()
    ceremony = world.context.ceremony_id(1)
    leaver, joiner = world.named("lender-4"), world.named("lender-30")
    bodies: list[Body] = [
        ReadyEntry(ceremony, public_key(bytes(32))),
        CloseEntry(ceremony, (bytes(32),) * 3),
        *(ComplaintEntry(ceremony, bytes(32), bytes([n]) * 32) for n in range(3)),
        ConfirmationEntry(ceremony, bytes(32), (), (), GIVEN_UP),
    ]
    for body in bodies:
        world.append(leaver.name, body.encode(1))
    shape = Script(*WIDER, 1, (5, 3)).all_ready().dealing_entry(1)
    world.append(joiner.name, replace(shape, ceremony=ceremony).encode(1))
    world.append(joiner.name, RevealEntry(ceremony, bytes(32), bytes(256)).encode(1))
    world.run()
    assert check_reshared(world) == (1, 2, 3, 4, 5)
    attempt = world.replay().current
    assert not attempt.void
    assert not attempt.out
    assert len(attempt.dealings) == 5


# -- each threshold in its place


def test_a_dealer_opens_fewer_shares_than_make_its_new_polynomials() -> None:
    """The old threshold is 4, the new one 2: one share may be opened, not three."""
    world = resharing(NARROWER, (7, 4))
    world.named("lender-5").twist = villains.junk_shares([1, 2])
    world.run()
    assert 5 not in check_reshared(world)
    assert world.named("lender-5").published(RevealEntry) <= 1
    repaired = resharing(NARROWER, (7, 4))
    repaired.named("lender-5").twist = villains.junk_shares([3])
    repaired.run()
    assert check_reshared(repaired) == (1, 2, 3, 4, 5, 6, 7)
    assert repaired.named("lender-5").published(RevealEntry) == 1


def test_a_dealer_repairs_more_shares_than_the_old_threshold_where_the_new_one_is_higher() -> None:
    world = resharing((7, 5), (3, 2))
    world.named("lender-3").twist = villains.junk_shares([3, 4, 5])
    world.run()
    assert check_reshared(world) == (1, 2, 3)
    assert world.named("lender-3").published(RevealEntry) == 3


@pytest.mark.parametrize(
    ("number", "is_dropped"),
    [(3, False), (4, True)],
)
def test_a_receiver_is_dropped_once_it_complains_of_the_old_threshold(number: int, is_dropped: bool) -> None:
    """Fewer than 4 of the 7 dealers are dishonest: 3 complaints may all be true, though the new threshold is 2."""
    world = World(4, 3, names=tuple(f"lender-{30 + i}" for i in range(4)), former=(7, 4))
    context = world.context
    grievances = [Grievance(2, dealer, False) for dealer in range(1, number + 1)]
    qualified, dropped = qualify(context, context.dealer_indices, grievances)
    assert dropped == ((2,) if is_dropped else ())
    assert len(qualified) == (7 if is_dropped else 4)


def test_as_many_complaints_as_the_new_threshold_disqualify_a_dealer() -> None:
    context = resharing(WIDER).context
    for number in (3, 4):
        grievances = [Grievance(author, 5, True) for author in range(1, number + 1)]
        assert (5 in qualify(context, context.dealer_indices, grievances)[0]) == (number < 4)


def test_confirmations_are_the_receivers_and_two_outcomes_are_never_both_final() -> None:
    script = Script(4, 3, 1, (3, 2)).all_dealt()  # q' = 4
    script.close(1)
    vote = script.vote()
    script.confirm(1, 2, 3, vote=vote)
    assert script.judge().final is None
    script.confirm(4, vote=vote)
    assert script.judge().final is not None


def test_a_resharing_fails_by_void_dealings_once_fewer_than_t_dealers_are_left() -> None:
    script = Script(3, 2, 1, (5, 3)).all_ready()
    for dealer in (1, 2, 3):
        assert not script.judge().failed
        script.deal(dealer, lambda entry: replace(entry, readies_digest=bytes(32)))
    assert script.judge().failed


def test_a_resharing_fails_once_too_few_receivers_can_confirm_one_outcome() -> None:
    script = Script(3, 2, 1, (5, 3)).all_dealt()  # q' = 3
    script.close(1)
    vote = script.vote()
    script.confirm(1, 2, vote=vote)
    assert not script.judge().failed
    script.confirm(3, vote=replace(vote, transcript=GIVEN_UP))
    assert script.judge().failed


def test_a_receiver_that_complained_of_t_dealers_is_not_waited_for() -> None:
    script = Script(3, 2, 1, (5, 3)).all_dealt()
    script.close(1)
    for dealer in (1, 2):
        script.complain(3, dealer)
    assert not script.judge().failed
    script.complain(3, 4)
    assert script.judge().failed


def test_a_close_counts_at_least_as_many_dealings_as_the_old_threshold() -> None:
    script = Script(3, 2, 1, (5, 3)).all_dealt()
    script.close(1, (1, 4))
    leaf = script.close(2, (1, 4, 5))
    assert script.reasons() == {1: "TOO_FEW_DEALINGS"}
    assert list(script.judge().closes) == [leaf]


def test_of_one_receivers_complaints_as_many_are_looked_at_as_there_are_dealers() -> None:
    script = Script(3, 2, 1, (5, 3)).all_dealt()
    script.close(1)
    complaints = {script.complain(3, dealer) for dealer in (1, 2, 3, 4, 5)}
    assert set(script.judge().complaints) == complaints


def test_of_one_dealers_reveals_as_many_are_looked_at_as_there_are_receivers() -> None:
    script = Script(5, 4, 1, (3, 2)).all_dealt()
    script.close(1)
    for receiver in (1, 2, 3, 4, 5):
        script.reveal(2, script.complain(receiver, 2), receiver)
    assert len(script.judge().reveals) == 5


# -- gone for good


def test_dealers_gone_for_good_hold_a_resharing_up_no_longer_than_they_must() -> None:
    """Three of five deal, one of them badly, two are gone: that attempt comes to nothing, and the next one waits."""
    world = resharing(NARROWER, (5, 3))
    world.node(3).twist = villains.in_turn(villains.junk_shares([2]), villains.no_reveals)
    world.run(away=[4, 5], seconds=5000, until=lambda ceremony: bool(ceremony.failed))
    assert world.replay().failed
    assert not any(attempt.final for attempt in world.replay().failed)
    world.node(3).twist = villains.in_turn()
    world.run()
    assert world.replay().current.number > 1
    check_reshared(world)


# -- all at once


def dishonest(world: World, chance: random.Random, dealers: int, receivers: int) -> set[str]:
    """At most so many dealers and receivers; who is both counts as both."""
    context = world.context
    while True:
        bad = {*chance.sample(context.dealers, dealers), *chance.sample(context.custodians, receivers)}
        if len(bad & {*context.dealers}) <= dealers and len(bad & {*context.custodians}) <= receivers:
            return bad


def check(seed: int, dealers: int, receivers: int, *, lively: bool) -> None:
    """So many dishonest dealers and receivers in a resharing from (5, 3) to (6, 4), of whom two members are both."""
    chance = random.Random(seed)
    world = resharing((6, 4), (5, 3), seed)
    bad = dishonest(world, chance, dealers, receivers)
    for name in sorted(bad):
        node = world.named(name)
        node.twist = villainy(world, world.nodes.index(node) + 1, chance)
    for node in world.nodes:
        node.crash_odds = 0.0 if node.name in bad else chance.choice([0.0, 0.1])
    world.run(seconds=chance.choice([1, 10, 60]))
    ceremony = world.run(seconds=20_000 if lively else 120)
    check_agreement(world)
    assert all(attempt.final is None for attempt in ceremony.failed)
    if lively:
        assert ceremony.phase == "final"
        assert all(node.installed for node in world.nodes if node.index and node.name not in bad)
    if ceremony.keys is not None:
        assert world.context.former is not None
        assert list(ceremony.keys) == list(world.context.former.keys)


def check_liveness(seed: int) -> None:
    check(seed, 1, 1, lively=True)


def check_safety(seed: int) -> None:
    check(seed, 2, 3, lively=False)


@settings(max_examples=4)
@given(st.integers(0, 2**32))
def test_with_a_dishonest_dealer_and_a_dishonest_receiver_the_honest_come_to_shares(seed: int) -> None:
    check_liveness(seed)


@settings(max_examples=4)
@given(st.integers(0, 2**32))
def test_with_fewer_than_each_threshold_nobody_holds_shares_of_other_keys(seed: int) -> None:
    check_safety(seed)


@pytest.mark.slow
@pytest.mark.parametrize("check_one", [check_liveness, check_safety])
def test_many_hostile_resharings(check_one: Callable[[int], None]) -> None:
    for seed in range(10):
        check_one(seed)
