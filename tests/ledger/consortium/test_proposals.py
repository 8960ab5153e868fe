"""Proposals and votes out of the logs: what counts, what does not, and that two successors never both get there."""

from __future__ import annotations

import hashlib
import zlib
from itertools import chain as joined

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2

from ledger.consortium.ballot import Vote, approval_entry, proposal_entry, read_proposal, read_vote, unpacked
from ledger.consortium.manifest import MAX_MANIFEST_BYTES, parse_manifest
from ledger.consortium.proposals import MAX_PROPOSALS, Proposals, double_votes
from ledger.errors import InvalidInput, NotFound
from tests.ledger.electorate import TIME, Electorate, moved, names, renamed, rotated, successor, without


def reader(electorate, **options):
    made = Proposals(electorate.chain, electorate.history, **options)
    made.read()
    return made


def current(electorate):
    return electorate.history.current


def test_a_proposal_is_there_with_who_approves_it_and_how_many_it_takes():
    world = Electorate(5)
    after = renamed(current(world), "New")
    world.propose("lender-2", after)
    world.propose("lender-1", after)
    world.approve(names(4, 1), after)
    (found,) = reader(world).all()
    assert (found.manifest, found.needed, found.accepted) == (after, 4, False)
    assert found.proposer in ("lender-1", "lender-2")
    assert found.approved == ("lender-1", "lender-4")
    with pytest.raises(NotFound):
        reader(world).get(current(world).id)


def test_the_last_approval_needed_brings_it_into_force_and_not_one_before():
    world = Electorate(5)
    after = renamed(current(world), "New")
    proposals = reader(world)
    world.propose("lender-1", after)
    for member in names(1, 2, 3):
        world.approve(member, after)
        proposals.read()
        assert proposals.accepted() is None
    world.approve("lender-5", after)
    assert proposals.accepted() is None  # not read yet
    proposals.read()
    assert proposals.accepted() is not None
    assert [proof.member for proof in proposals.proofs(after.id)] == names(1, 2, 3, 5)


def test_approvals_may_be_there_before_the_proposal():
    world = Electorate(3)
    after = renamed(current(world), "New")
    world.approve(names(1, 2, 3), after)
    proposals = reader(world)
    assert (proposals.all(), proposals.accepted()) == ([], None)
    world.propose("lender-1", after)
    proposals.read()
    assert proposals.accepted() is not None


def test_reading_on_comes_to_the_same_as_reading_at_once():
    world = Electorate(5)
    steps = [renamed(current(world), "A"), moved(current(world)), without(current(world), "lender-5")]
    slow = reader(world)
    for member, after in zip(names(1, 2, 3, 4, 5), joined(steps, steps[:2]), strict=True):
        world.propose(member, after)
        slow.read()
        world.approve(member, after)
        slow.read()
    fast = reader(world)
    assert {one.manifest.id: one.approved for one in slow.all()} == {
        one.manifest.id: one.approved for one in fast.all()
    }
    assert len(fast.all()) == 3


def test_what_is_no_successor_is_not_listed():
    world = Electorate(3)
    before = current(world)
    for after in (successor(before, currency="USD"), renamed(renamed(before, "One"), "Two")):
        world.propose("lender-1", after)
    for packed in (zlib.compress(b"x"), b"\x78\x9c", zlib.compress(renamed(before, "x").text.encode()) + b"x"):
        proposal = entry_pb2.Proposal(previous=before.id, manifest=packed)
        world.append("lender-2", entry_pb2.Entry(time=1, proposal=proposal).SerializeToString())
    assert reader(world).all() == []


def test_the_removed_have_no_vote_and_who_rotates_has():
    world = Electorate(5)
    out, fresh = without(current(world), "lender-5"), rotated(current(world), "lender-4")
    world.propose("lender-1", out)
    world.propose("lender-1", fresh)
    world.approve(names(5, 1, 2, 3), out)
    world.approve("lender-4", fresh)
    found = {one.manifest.id: one.approved for one in reader(world).all()}
    assert found[out.id] == tuple(names(1, 2, 3))
    assert found[fresh.id] == ("lender-4",)


def test_the_first_approval_binds_and_a_second_is_misconduct_that_the_log_proves():
    world = Electorate(3)
    one, two = renamed(current(world), "One"), renamed(current(world), "Two")
    world.propose("lender-1", one)
    world.propose("lender-1", two)
    world.approve("lender-2", one)
    world.approve("lender-2", one)  # saying it again is no misconduct
    proposals = reader(world)
    assert proposals.double_votes == ()
    world.approve("lender-2", two)
    world.approve("lender-2", renamed(current(world), "Three"))
    proposals.read()
    found = {each.manifest.id: each.approved for each in proposals.all()}
    assert (found[one.id], found[two.id]) == (("lender-2",), ())
    (double,) = proposals.double_votes
    assert (double.member, double.origin) == ("lender-2", current(world).origin("lender-2"))
    log = world.chain.log("lender-2")
    votes = [read_vote(log.entry(index)) for index in (double.first, double.second)]
    assert votes == [Vote(current(world).id, one.id), Vote(current(world).id, two.id)]
    assert double_votes(log) == [double]
    assert double_votes(world.chain.log("lender-1")) == []


def test_of_a_frozen_log_only_what_was_witnessed_counts():
    world = Electorate(3)
    after = renamed(current(world), "New")
    world.propose("lender-1", after)  # index 0
    world.approve(names(1, 2, 3), after)  # lender-1's at index 1
    origin = current(world).origin("lender-1")
    for size, counts in ((0, False), (1, False), (2, True), (None, True)):
        proposals = reader(world, limit=lambda name, size=size: size if name == origin else None)
        assert (proposals.accepted() is not None) == counts
    limits: dict[str, int] = {}
    late = reader(world, limit=limits.get)
    assert late.accepted() is not None
    limits[origin] = 1  # frozen after it was read
    assert late.accepted() is None


def test_a_flood_of_proposals_is_bounded_and_hides_nobody_elses():
    world = Electorate(3)
    before = current(world)
    flood = [renamed(before, f"Name {number}") for number in range(MAX_PROPOSALS + 20)]
    world.append("lender-1", *(proposal_entry(after, TIME) for after in flood))
    last = moved(before)
    world.propose("lender-2", last)
    proposals = reader(world)
    assert [one.manifest for one in proposals.all()] == [*flood[:MAX_PROPOSALS], last]
    assert proposals.proposed_by("lender-1") == MAX_PROPOSALS
    world.append("lender-1", *(approval_entry(Vote(before.id, after.id), TIME) for after in flood))
    proposals.read()
    assert len(proposals.double_votes) == 1


def test_a_small_stream_that_holds_gigabytes_costs_no_more_than_a_manifest():
    bomb = zlib.compress(bytes(50 * MAX_MANIFEST_BYTES), 9)
    with pytest.raises(InvalidInput):
        unpacked(bomb)


def test_only_a_text_that_fits_is_proposed():
    before = current(Electorate(3))
    found = read_proposal(proposal_entry(renamed(before, "x"), TIME))
    assert found is not None
    assert (found[0], unpacked(found[1])) == (before.id, renamed(before, "x").text)
    assert read_vote(proposal_entry(renamed(before, "x"), TIME)) is None
    noise = "".join(f"# {hashlib.sha512(bytes([number % 256, number // 256])).hexdigest()}\n" for number in range(1500))
    with pytest.raises(InvalidInput) as caught:
        proposal_entry(parse_manifest(renamed(before, "x").text + noise), TIME)
    assert caught.value.reason == "BAD_LENGTH"


# No two successors


def race(count, votes, liars, one, two):
    """Two halves of the members; each sees the honest logs, and of each liar another log. What each half accepts."""
    outcomes = []
    for half in (0, 1):
        world = Electorate(count)
        for after in (one, two):
            world.propose("lender-1", after)
        for number in range(1, count + 1):
            name = f"lender-{number}"
            if name in liars:
                world.approve(name, (one, two)[half])
            elif votes[number - 1] is not None:
                world.approve(name, (one, two)[votes[number - 1]])
        accepted = reader(world).accepted()
        outcomes.append(accepted and accepted.manifest.id)
    return outcomes


KINDS = {
    "rename": lambda before: renamed(before, "Other"),
    "move": lambda before: moved(before),
    "expel the first": lambda before: without(before, "lender-1"),
    "expel the last": lambda before: without(before, before.members[-1].name),
    "rotate": lambda before: rotated(before, "lender-2"),
}


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_with_fewer_than_a_third_lying_two_halves_never_accept_two_successors(data):
    count = data.draw(st.integers(4, 7))
    before = current(Electorate(count))
    kinds = data.draw(st.permutations(sorted(KINDS)))
    one, two = KINDS[kinds[0]](before), KINDS[kinds[1]](before)
    liars = set(data.draw(st.permutations(names(*range(1, count + 1))))[: (count - 1) // 3])
    votes = data.draw(st.lists(st.sampled_from([0, 1, 0, 1, None]), min_size=count, max_size=count))
    outcomes = race(count, votes, liars, one, two)
    assert len({each for each in outcomes if each}) <= 1


def test_with_a_third_lying_they_can_which_shows_that_the_bound_is_met():
    before = current(Electorate(6))
    one, two = without(before, "lender-6"), without(before, "lender-1")
    votes = [0, 0, None, None, 1, 1]
    assert race(6, votes, set(names(3, 4)), one, two) == [one.id, two.id]
    assert race(6, votes, set(names(3)), one, two) == [None, None]


def test_what_is_accepted_stays_so_whatever_its_voters_say_later():
    world = Electorate(6)
    one, two = without(current(world), "lender-6"), without(current(world), "lender-1")
    proposals = reader(world)
    world.propose("lender-1", one)
    world.propose("lender-1", two)
    world.approve(names(2, 3, 4, 5), one)
    proposals.read()
    assert proposals.accepted() is not None
    world.approve(names(2, 3, 4, 6), two)
    proposals.read()
    assert proposals.accepted() is not None  # second votes do not count
    assert len(proposals.double_votes) == 3
