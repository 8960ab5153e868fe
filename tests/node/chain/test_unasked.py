"""An author that keeps its cosignatures to itself, or asks nobody, is witnessed all the same, at one head."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress

import pytest
from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.errors import PlimsollError, Unverified
from ledger.tlog.tlog_witness import AddCheckpoint
from ledger.witnessing import turns
from ledger.witnessing.cosigned import verify_witnessed
from node.chain import witnessing
from node.chain.freshness import Freshness
from tests.ledger.witnesses import AUTHOR, cosigned, cosigner, head_of, history, name
from tests.node.witnesses import MANIFEST, NOW, Node, network

QUARTER = turns.quarter_seconds(MANIFEST.policy, 5)
OVERDUE = turns.overdue_seconds(MANIFEST.policy)
ORIGIN = MANIFEST.origin(AUTHOR)
TURN = 4 * QUARTER


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


async def publishes(nodes: list[Node], size: int) -> None:
    """The author's log grows to this size; whoever is there holds all of it."""
    log = nodes[0].chain.log(AUTHOR)
    await nodes[0].committer.append(history(size)[log.size :])
    nodes[0].is_away = False
    for _ in range(2):
        for node in nodes:
            await node.compare()
    nodes[0].is_away = True


async def withholding(threads: Executor, size: int = 6) -> list[Node]:
    """The author's node answers nobody from now on: what it says a test says for it."""
    nodes = network(threads)
    await publishes(nodes, size)
    for node in nodes[1:]:
        await node.witnessing.unasked.look()
    return nodes


def leap(nodes: list[Node], seconds: float) -> None:
    for node in nodes:
        node.clock.leap(seconds)


def to_turn_of(nodes: list[Node], member: str) -> None:
    """To the beginning of the next turn of this member, all having waited long enough."""
    quarters = int(nodes[1].clock.now + OVERDUE + TURN) // TURN * 4
    while turns.speaker(MANIFEST, AUTHOR, quarters // 4) != member:
        quarters += 4
    leap(nodes, quarters * QUARTER - nodes[1].clock.now)


async def meet(nodes: list[Node]) -> None:
    """Everybody looks, and compares with everybody, once."""
    for node in nodes[1:]:
        await node.witnessing.unasked.look()
    for node in nodes[1:]:
        await node.compare()


async def quarter(nodes: list[Node]) -> None:
    """One, to its end."""
    for _ in range(2):
        await meet(nodes)
    leap(nodes, QUARTER)


async def turn(nodes: list[Node]) -> None:
    for _ in range(4):
        await quarter(nodes)


async def asked(node: Node, size: int, branch: int = 0, common: int = 0) -> bool:
    """Whether it cosigns, as its author asks."""
    text = head_of(history(size, branch, common), MANIFEST)
    beat = peer_pb2.WitnessRequest(head=cosigned(text, MANIFEST, {1: int(node.clock.now)}))
    return bool((await node.witnessing.answer(AUTHOR, beat)).head)


def sizes(nodes: list[Node]) -> list[int]:
    """Of the head each knows to be witnessed."""
    return [node.witnessed.size(ORIGIN) for node in nodes[1:]]


async def test_what_members_have_cosigned_for_an_author_that_keeps_it_is_added_up_without_it(threads):
    nodes = await withholding(threads)
    for node in nodes[1:]:
        assert await asked(node, 6)
    await meet(nodes)
    assert sizes(nodes) == [0] * 4, "while it is not overdue that is its author's to tell"
    leap(nodes, OVERDUE + 1)
    await meet(nodes)
    assert sizes(nodes) == [6] * 4
    kept = nodes[3].witnessed.newest(ORIGIN)
    assert kept is not None
    verify_witnessed(kept.signed.note.encode(), MANIFEST, AUTHOR)
    assert kept.time == NOW, "witnessed when they cosigned it"


async def test_a_log_whose_author_asks_nobody_is_witnessed_within_a_turn(threads):
    nodes = await withholding(threads)
    to_turn_of(nodes, "lender-3")
    for _ in range(2):
        await quarter(nodes)
        assert sizes(nodes) == [0] * 4
    for _ in range(2):
        await quarter(nodes)
    assert sizes(nodes) == [6] * 4


async def test_members_that_were_asked_about_different_heads_come_to_one(threads):
    nodes = await withholding(threads)
    for size, node in zip((2, 3, 4, 5), nodes[1:], strict=True):
        assert await asked(node, size)
    to_turn_of(nodes, "lender-2")
    await turn(nodes)
    assert sizes(nodes) == [6] * 4


async def test_nobody_cosigns_anything_new_for_the_author_after_the_first_quarter_of_a_turn(threads):
    nodes = await withholding(threads)
    to_turn_of(nodes, "lender-2")
    four = nodes[3]
    await four.witnessing.unasked.look()
    assert await asked(four, 3)
    for _ in range(3):
        leap(nodes, QUARTER)
        assert not await asked(four, 4)
        assert await asked(four, 3), "the same again is nothing new"
    leap(nodes, QUARTER)
    assert await asked(four, 4)


async def test_nor_by_the_standards_request(threads):
    nodes = await withholding(threads)
    to_turn_of(nodes, "lender-2")
    four = nodes[3]
    await four.witnessing.unasked.look()
    leap(nodes, QUARTER)
    head = head_of(history(3), MANIFEST)
    request = AddCheckpoint(0, (), ORIGIN, 3, head.head.root, head.note)
    with pytest.raises(PlimsollError) as refused:
        await four.witnessing.extend(request)
    assert refused.value.reason == "OVERDUE_LOG"
    leap(nodes, 3 * QUARTER)
    assert await four.witnessing.extend(request)
    (note,) = four.witnessing.unasked.notes()
    assert b"\n3\n" in note


async def test_what_a_member_cosigns_it_shows_as_held(threads):
    """Its author has brought the entries under a larger head, which it does not complete: nobody would fetch them."""
    nodes = network(threads)
    await nodes[0].committer.append(history(6))
    nodes[0].is_away = True
    block = next(iter(blocks_from(nodes[0].chain.log(AUTHOR), 0, limit=4)))
    for node in nodes[1:]:
        await node.gossip.take(block)
    held = nodes[1].chain.log(AUTHOR)
    assert (held.size, held.head) == (4, None)
    await nodes[1].witnessing._cosigned(head_of(history(3), MANIFEST))
    assert held.head is not None
    assert held.head.head.size == 3


async def test_who_was_away_and_the_speaker_is_does_not_keep_the_next_one_from_it(threads):
    nodes = await withholding(threads)
    to_turn_of(nodes, "lender-2")
    away = nodes.pop(1)
    away.is_away = True
    await turn(nodes)
    assert sizes(nodes) == [0] * 3
    await turn(nodes)
    assert sizes(nodes) == [6] * 3


def shows(node: Node, sizes: dict[str, int]) -> None:
    """From now on this member shows each of the others another head, signed by the author and itself."""

    def cosigned_for(caller: str) -> list[bytes]:
        if caller not in sizes:
            return []
        return [cosigned(head_of(history(sizes[caller]), MANIFEST), MANIFEST, {node.number: NOW})]

    node.witnessing.cosigned = cosigned_for  # type: ignore[method-assign]


async def test_a_speaker_that_shows_everybody_another_head_wastes_its_own_turn_only(threads):
    nodes = await withholding(threads)
    liar = nodes[1]
    liar.witnessing.unasked.look = lambda: meet([])  # type: ignore[method-assign]
    shows(liar, {"lender-3": 3, "lender-4": 4, "lender-5": 5})
    to_turn_of(nodes, "lender-2")
    await turn(nodes)
    for node, size in zip(nodes[2:], (3, 4, 5), strict=True):
        last = node.witnessing.unasked._witness.last(ORIGIN)
        assert last is not None
        assert last.head.size == size, "they cannot know better"
    assert sizes(nodes)[1:] == [0] * 3
    await turn(nodes)
    assert sizes(nodes)[1:] == [6] * 3


async def grows(nodes: list[Node], size: int) -> None:
    """As `publishes`, by pushes alone: nobody compares anything."""
    start = nodes[0].chain.log(AUTHOR).size
    await nodes[0].committer.append(history(size)[start:])
    for node in nodes[1:]:
        for block in blocks_from(nodes[0].chain.log(AUTHOR), start):
            await node.gossip.take(block)


@pytest.mark.parametrize("seed", range(8))
async def test_an_author_and_a_liar_that_chase_the_others_delay_it_by_a_turn_at_most(threads, seed):
    """Whenever anybody is about to look, the log has grown, the liar shows everybody another head, larger than all
    before, and the author has asked somebody about the newest."""
    rng = random.Random(seed)
    nodes = await withholding(threads)
    liar = rng.choice(nodes[1:])
    honest = [node for node in nodes[1:] if node is not liar]
    liar.witnessing.unasked.look = lambda: meet([])  # type: ignore[method-assign]
    leap(nodes, (int(nodes[1].clock.now + OVERDUE + TURN) // TURN + rng.randrange(4)) * TURN - nodes[1].clock.now)
    size = 6
    for _ in range(8):
        for node in rng.sample(honest, 3) + rng.sample(honest, 3):
            size += 3
            await grows(nodes, size)
            others = rng.sample(honest, 3)
            shows(liar, {other.member: size - place for place, other in enumerate(others)})
            with suppress(Unverified):  # it went back
                await asked(others[0], size)
            await node.witnessing.unasked.look()
            await node.compare()
        leap(nodes, QUARTER)
    assert all(node.witnessed.size(ORIGIN) > 6 for node in honest)


async def test_of_a_forked_log_what_had_been_cosigned_before_is_still_added_up(threads):
    nodes = await withholding(threads)
    for node in nodes[1:4]:
        assert await asked(node, 6)
    other = head_of(history(6, 1, 4), MANIFEST)
    for node in nodes[1:]:
        await node.gossip.look_at(other.head, other.note.encode())
        await node.freezing._work()
        assert node.chain.frozen(ORIGIN)
    await meet(nodes)
    assert sizes(nodes) == [6] * 4
    with pytest.raises(Unverified):
        await asked(nodes[4], 6)


async def test_two_histories_in_a_speakers_turn_are_a_fork_and_nothing_is_cosigned(threads):
    nodes = await withholding(threads)
    other = head_of(history(5, 1, 3), MANIFEST)
    liar = nodes[1]
    liar.witnessing.unasked.look = lambda: meet([])  # type: ignore[method-assign]
    raw = cosigned(other, MANIFEST, {2: NOW})
    liar.witnessing.cosigned = lambda caller: [raw]  # type: ignore[method-assign]
    to_turn_of(nodes, "lender-2")
    await turn(nodes)
    for node in nodes[2:]:
        assert ORIGIN in node.gossip.problems
        assert node.witnessing.unasked._witness.last(ORIGIN) is None


async def test_a_member_is_told_once_and_again_after_a_while(threads, monkeypatch):
    nodes = await withholding(threads)
    two = nodes[1].witnessing
    assert await asked(nodes[1], 6)
    leap(nodes, OVERDUE + 1)
    told = two.cosigned("lender-3")
    assert len(told) == 1
    assert (two.cosigned("lender-3"), two.cosigned("lender-4")) == ([], told)
    monkeypatch.setattr(witnessing, "TELL_AGAIN", -1.0)
    assert two.cosigned("lender-3") == told


async def test_what_is_shown_is_one_line_and_the_same_for_as_long_as_the_node_lives(threads):
    nodes = await withholding(threads)
    assert await asked(nodes[1], 6)
    leap(nodes, OVERDUE + 1)
    assert await asked(nodes[1], 6)
    (note,) = nodes[1].witnessing.unasked.notes()
    line = cosigner(2, MANIFEST).cosign(head_of(history(6), MANIFEST).note.text, NOW)
    assert note == head_of(history(6), MANIFEST).note.with_signatures([line]).encode()


async def test_a_node_that_has_restarted_shows_what_it_had_cosigned(threads):
    nodes = await withholding(threads)
    assert await asked(nodes[1], 4)
    again = Node(2, threads, nodes[1].store)
    again.knows(nodes)
    again.clock.leap(2 * QUARTER)  # nobody's head to follow
    await again.witnessing.unasked.look()
    again.clock.leap(OVERDUE + 1)
    await again.witnessing.unasked.look()
    assert again.witnessing.unasked.notes() == [], "before it has heard how far the log has got"
    for number in (3, 4, 5):
        await again.gossip._compare(again.gossip._peers[name(number)])
    await again.witnessing.unasked.look()
    (note,) = again.witnessing.unasked.notes()
    assert b"\n4\n" in note


@pytest.mark.parametrize(
    ("note", "refusal"),
    [
        (cosigned(head_of(history(6), MANIFEST), MANIFEST, {4: NOW}), "NOT_COSIGNED"),
        (cosigned(head_of(history(6), MANIFEST, 3), MANIFEST, {3: NOW}), "OWN_LOG"),
        (b"nothing", None),
    ],
)
async def test_what_a_member_has_not_cosigned_is_refused(threads, note, refusal):
    nodes = await withholding(threads)
    with pytest.raises(PlimsollError) as refused:
        await nodes[1].witnessing.unasked.learn("lender-3", [note])
    assert refusal is None or refused.value.reason == refusal


async def test_no_peer_makes_a_node_remember_more_than_a_head_a_log(threads):
    nodes = await withholding(threads)
    unasked = nodes[1].witnessing.unasked
    heads = [head_of(history(size), MANIFEST) for size in range(1, 40)]
    await unasked.learn("lender-3", [cosigned(head, MANIFEST, {3: NOW}) for head in heads])
    assert len(unasked._shown._heads[AUTHOR]) == 1
    with pytest.raises(Unverified):
        await unasked.learn("lender-3", [b""] * 1025)
    stranger = head_of(history(2), MANIFEST).note.with_signatures([])
    await unasked.learn("stranger", [stranger.encode()])


async def test_an_operator_is_told_after_a_while_and_until_it_is_witnessed(threads):
    nodes = await withholding(threads)
    five = nodes[4].witnessing.unasked
    leap(nodes, turns.alert_seconds(MANIFEST.policy, 5) - 5)
    assert five.alerts() == []
    leap(nodes, 10)
    (alert,) = five.alerts()
    assert alert == f"{ORIGIN}: grows, and has had no head witnessed for 5 minutes"
    nodes[4].witnessed.add(cosigned(head_of(history(6), MANIFEST), MANIFEST, dict.fromkeys((2, 3, 4), NOW)))
    assert five.alerts() == []


async def test_a_witnessed_head_below_what_was_held_leaves_a_log_overdue(threads):
    """Or an author could let it follow far behind, for ever."""
    nodes = await withholding(threads)
    leap(nodes, OVERDUE + 1)
    nodes[4].witnessed.add(cosigned(head_of(history(5), MANIFEST), MANIFEST, dict.fromkeys((2, 3, 4), NOW)))
    await nodes[4].witnessing.unasked.look()
    assert nodes[4].witnessing.unasked.overdue(ORIGIN)


async def test_the_author_itself_learns_what_the_others_have_cosigned(threads):
    nodes = await withholding(threads)
    for node in nodes[1:4]:
        assert await asked(node, 6)
    leap(nodes, OVERDUE + 1)
    await nodes[0].compare()
    assert nodes[0].witnessed.size(ORIGIN) == 6


@pytest.mark.parametrize(("ahead", "taken"), [(120, True), (121, False)])
async def test_a_heartbeat_of_a_time_to_come_is_refused(threads, ahead, taken):
    nodes = await withholding(threads)
    beat = peer_pb2.WitnessRequest(head=cosigned(head_of(history(6), MANIFEST), MANIFEST, {1: NOW + ahead}))
    if taken:
        assert (await nodes[1].witnessing.answer(AUTHOR, beat)).head
        return
    with pytest.raises(PlimsollError) as refused:
        await nodes[1].witnessing.answer(AUTHOR, beat)
    assert refused.value.reason == "FUTURE_HEARTBEAT"
    assert nodes[1].arrivals.age(ORIGIN, nodes[1].clock.monotonic()) is None
    assert nodes[1].store.get(b"w") is None


@pytest.mark.parametrize(("ahead", "age"), [(-50, 50.0), (100, 0.0), (121, None)])
async def test_a_witnessed_head_of_a_time_to_come_makes_no_log_fresh(threads, ahead, age):
    nodes = await withholding(threads)
    two = nodes[1]
    times = {1: NOW + ahead, 2: NOW, 3: NOW, 4: NOW}
    two.witnessed.add(cosigned(head_of(history(6), MANIFEST), MANIFEST, times))
    freshness = Freshness(two.witnessing._consortium, two.chain, two.arrivals, two.witnessed, two.clock)
    assert freshness.heard(AUTHOR) == age
