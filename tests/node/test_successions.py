"""Successors that this node's own logs do not show, taken from who has gone over to them; and two of one manifest."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from plimsoll.v1 import audit_pb2

from ledger.consortium.lineage import MAX_SUCCESSION_BYTES, Lineage
from ledger.errors import InvalidInput, NotFound, PlimsollError, Refused, Unavailable, Unverified
from node.successions import AGAIN, Successions
from tests.ledger.electorate import renamed
from tests.node.assembly import Assembly
from tests.node.test_governance import SEEDS, SIGNED, World

HEARD = 0.2


class Peer:
    """A link to a node that shows this lineage. spoil: what becomes of what it shows."""

    member = "lender-2"

    def __init__(self, lineage: Lineage, spoil=lambda raw: raw) -> None:
        self.lineage = lineage
        self.spoil = spoil
        self.asked = 0

    async def successor(self, previous: bytes, timeout: float) -> bytes:
        self.asked += 1
        raw: bytes = self.spoil(self.lineage.succession_of(previous))
        return raw

    def tell(self, successions: Successions) -> None:
        current = self.lineage.current
        successions.heard(self, current.id, current.sequence)  # type: ignore[arg-type]


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


def changed(*names: str) -> Lineage:
    """Elsewhere these came into force, one after the other, by approvals that nobody else has seen."""
    elsewhere = Assembly(SEEDS, SIGNED)
    for name in names:
        elsewhere.pass_change(renamed(elsewhere.current, name))
    return elsewhere.lineage


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "home")


@asynccontextmanager
async def following(world: World):
    clock = Clock()
    successions = Successions(world.governance, clock)  # type: ignore[arg-type]
    async with world.running():
        task = asyncio.create_task(successions.run())
        try:
            yield successions, clock
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def test_what_others_have_gone_over_to_is_put_in_force_step_by_step_without_their_logs(world):
    peer = Peer(changed("One", "Two", "Three"))

    async def run():
        async with following(world) as (successions, _):
            peer.tell(successions)
            await world.until(lambda: len(world.changes) == 3)
            assert [history.current.name for history in world.changes] == ["One", "Two", "Three"]
            peer.tell(successions)
            await asyncio.sleep(HEARD)

    asyncio.run(run())
    assert world.assembly.chain.log("lender-3").size == 0
    assert world.home.lineage() == peer.lineage
    assert peer.asked == 3


def test_a_node_that_is_behind_or_equal_is_not_asked(world):
    world.governance._lineage = changed("One", "Two")
    peers = [Peer(changed()), Peer(changed("One")), Peer(changed("One", "Two"))]

    async def run():
        async with following(world) as (successions, _):
            for peer in peers:
                peer.tell(successions)
            successions.heard(peers[0], b"", 7)
            successions.heard(peers[0], bytes(32), 0)
            await asyncio.sleep(HEARD)

    asyncio.run(run())
    assert [peer.asked for peer in peers] == [0, 0, 0]


def fewer(raw: bytes) -> bytes:
    step = audit_pb2.Succession.FromString(raw)
    del step.approvals[3:]
    return step.SerializeToString()


def of_nobody(raw: bytes) -> bytes:
    step = audit_pb2.Succession.FromString(raw)
    step.approvals[0].receipt = step.approvals[1].receipt
    return step.SerializeToString()


def too_often(raw: bytes) -> bytes:
    step = audit_pb2.Succession.FromString(raw)
    step.approvals.extend(list(step.approvals) * 3)
    return step.SerializeToString()


@pytest.mark.parametrize(
    ("spoil", "kind", "reason"),
    [
        (fewer, Unverified, "TOO_FEW_APPROVALS"),
        (of_nobody, Unverified, None),
        (too_often, Unverified, "BAD_ORDER"),
        (lambda raw: b"\xff", InvalidInput, "BAD_SUCCESSION"),
        (lambda raw: raw + bytes(MAX_SUCCESSION_BYTES), InvalidInput, "SUCCESSION_TOO_LARGE"),
        (lambda raw: changed("One", "Two").succession_of(changed("One").current.id), Refused, "BAD_SUCCESSION"),
    ],
)
def test_what_does_not_verify_changes_nothing(world, spoil, kind, reason):
    peer = Peer(changed("One"), spoil)
    raw = spoil(peer.lineage.succession_of(world.current.id))
    with pytest.raises(kind) as caught:
        asyncio.run(world.governance.take(world.current, raw))
    assert reason in (None, caught.value.reason)
    assert world.governance.history.manifests == (world.current,)


@pytest.mark.parametrize("failure", [Unavailable("UNREACHABLE", "no"), NotFound("NO_SUCCESSOR", "no")])
def test_who_has_nothing_to_show_for_what_it_says_is_asked_rarely(world, failure):
    def spoil(raw: bytes) -> bytes:
        raise failure

    peer, other = Peer(changed("One"), spoil), Peer(changed("One"))
    other.member = "lender-3"

    async def run():
        async with following(world) as (successions, clock):
            for _ in range(3):
                peer.tell(successions)
                await asyncio.sleep(HEARD)
            assert peer.asked == 1
            clock.now += AGAIN
            peer.tell(successions)
            await asyncio.sleep(HEARD)
            assert peer.asked == 2
            other.tell(successions)
            await world.until(lambda: world.changes)

    asyncio.run(run())


def test_two_successors_of_one_manifest_are_told_with_who_approved_both_and_nobody_changes_sides(world):
    """It takes three of five: not one of the others may be believed, and neither may this node's own view."""
    ours, theirs = changed("Zero", "One", "Two"), changed("Zero", "Another", "More", "Yet more")
    world.governance._lineage = ours
    peer = Peer(theirs)

    async def run():
        async with following(world) as (successions, _):
            peer.tell(successions)
            await world.until(lambda: world.governance.alerts)
            assert world.governance.history == ours.history
            asked = peer.asked
            peer.tell(successions)
            await asyncio.sleep(HEARD)
            assert peer.asked == asked

    asyncio.run(run())
    (alert,) = world.governance.alerts
    assert theirs.history.manifests[2].id.hex() in alert
    assert ours.history.manifests[2].id.hex() in alert
    assert alert.endswith("approved both: lender-1, lender-2, lender-3, lender-4, lender-5")
    assert world.governance.is_rival(theirs.history.manifests[2].id)
    assert not world.changes


def test_only_what_verifies_is_a_rival(world):
    ours = changed("One")
    world.governance._lineage = ours
    before = world.governance.history.manifests[0]
    raw = fewer(changed("Another").succession_of(before.id))
    with pytest.raises(PlimsollError):
        asyncio.run(world.governance.compare(before, raw))
    asyncio.run(world.governance.compare(before, ours.succession_of(before.id)))
    assert world.governance.alerts == []


def test_what_a_change_that_was_shown_raises_ends_the_run(world):
    async def left(history):
        raise Refused("LEFT", "no member any more")

    world.governance._on_change = left

    async def run():
        async with asyncio.timeout(20):
            ending = asyncio.create_task(world.governance.run())
            await world.governance.take(world.current, changed("One").succession_of(world.current.id))
            with pytest.raises(Refused, match="no member"):
                await ending

    asyncio.run(run())
