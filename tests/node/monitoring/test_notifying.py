"""Webhooks against a real HTTP server that takes, fails, hangs and sends elsewhere: at least once, and nowhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from plimsoll.v1 import lender_pb2, sealed_pb2

from ledger.chain.memory_store import MemoryStore
from ledger.consortium.history import History
from ledger.errors import InvalidInput, Unready
from ledger.monitoring.webhook import EVENT_HEADER, verify
from ledger.queries.inquiry import DAY
from node.consortium import Consortium
from node.monitoring.notifying import Notifying
from node.monitoring.watchlist import Watchlist
from tests.ledger.group_strategies import seeded
from tests.lenders import manifest
from tests.node.monitoring.receiver import Receiver, receiving
from tests.node.monitoring.test_monitoring import START, FakeClock

KEY = bytes(range(32))
SECRET = b"0123456789abcdef0123456789abcdef"
RECORD = sealed_pb2.WatchRecord(watch=lender_pb2.Watch(id="ab" * 8, borrower="test:1"))


class World:
    """A node's outbox and where it goes."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.folder = folder
        self.receiver = receiver
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.policy = folder / "watch.toml"
        self.consortium = Consortium("lender-1", History([manifest(3)]))
        self.secret = folder / "secret"
        self.secret.write_bytes(SECRET + b"\n")
        self.secret.chmod(0o600)
        self.configure(receiver.url)
        self.begin()

    def configure(self, url: str) -> None:
        self.policy.write_text(f'format = "plimsoll/watch/v1"\n[webhook]\nurl = "{url}"\nsecret_file = "secret"\n')

    def begin(self) -> None:
        """As a new process does."""
        self.watchlist = Watchlist(self.store, KEY, seeded(8))
        self.notifying = Notifying(self.consortium, self.watchlist, self.folder, self.policy, self.clock, 1.0)

    def found(self, *codes: str) -> list[lender_pb2.WatchEvent]:
        events = [lender_pb2.WatchEvent(code=code, time=int(self.clock.now), borrower="test:1") for code in codes]
        return self.watchlist.put(RECORD, events, notify=True)

    def step(self) -> float:
        return asyncio.run(self.notifying.step())

    def until(self, time: float) -> None:
        async def run() -> None:
            while self.clock.now < time:
                self.clock.now += max(1.0, await self.notifying.step())

        asyncio.run(run())

    def delivery(self) -> list[str]:
        return [event.delivery for event in self.watchlist.events(0, 100)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def world(tmp_path: Path, receiver: Receiver) -> World:
    return World(tmp_path, receiver)


def test_what_was_found_is_sent_signed_and_once_where_all_is_well(world: World) -> None:
    events = world.found("NEW_LENDER", "OVERDUE")
    assert world.delivery() == ["pending", "pending"]
    world.step()
    assert world.delivery() == ["sent", "sent"]
    world.step()
    assert len(world.receiver.got) == 2
    for _, headers, body in world.receiver.got:
        verify(SECRET, headers, body, START)
        assert b"test:1" not in body
    told = {headers[EVENT_HEADER]: json.loads(body)["code"] for _, headers, body in world.receiver.got}
    assert told == {events[0].id: "NEW_LENDER", events[1].id: "OVERDUE"}
    assert world.notifying.alerts == []


@pytest.mark.parametrize("mode", ["fail", "redirect"])
def test_what_fails_is_tried_again_later_and_later_and_nobody_is_sent_elsewhere(world: World, mode: str) -> None:
    world.receiver.mode = mode
    [event] = world.found("NEW_LENDER")
    assert world.step() == 5
    world.until(START + 300)
    assert 5 <= len(world.receiver.got) <= 7
    assert {path for path, _, _ in world.receiver.got} == {"/events"}
    assert world.notifying.alerts == []
    world.until(START + 3700)
    assert "the webhook of the watch list fails: it answers with status" in world.notifying.alerts[0]
    world.receiver.mode = "ok"
    world.until(START + 3700 + 3600)
    assert world.delivery() == ["sent"]
    assert {headers[EVENT_HEADER] for _, headers, _ in world.receiver.got} == {event.id}
    assert world.notifying.alerts == []


def test_one_that_hangs_is_left_after_a_while_and_tried_again(world: World) -> None:
    world.receiver.mode = "hang"
    world.found("NEW_LENDER")
    world.step()
    assert world.delivery() == ["pending"]
    world.receiver.mode = "ok"
    world.until(START + 10)
    assert world.delivery() == ["sent"]


def test_nobody_there_is_a_failure_like_any_other(world: World, unused_port: int) -> None:
    world.configure(f"http://127.0.0.1:{unused_port}/")
    world.found("NEW_LENDER")
    assert world.step() == 5
    world.configure(world.receiver.url)
    world.until(START + 10)
    assert world.delivery() == ["sent"]


@pytest.fixture
def unused_port() -> int:
    with receiving() as gone:
        return gone.port


def test_after_a_day_it_is_given_up_and_said_until_somebody_acknowledges_it(world: World) -> None:
    world.receiver.mode = "fail"
    [event] = world.found("NEW_LENDER")
    world.until(START + DAY + 3601)
    assert world.delivery() == ["given-up"]
    count = len(world.receiver.got)
    world.begin()
    world.until(START + 2 * DAY)
    assert len(world.receiver.got) == count
    assert world.notifying.alerts == ["1 event(s) never reached the webhook: plimsoll watch events"]
    world.watchlist.acknowledge(event.id, START, "bob")
    assert world.notifying.alerts == []


def test_a_node_that_dies_before_it_has_written_down_that_it_was_taken_sends_it_again(world: World) -> None:
    [event] = world.found("NEW_LENDER")
    before = MemoryStore(world.store.snapshot())
    world.step()
    world.store = before
    world.begin()
    world.step()
    assert [headers[EVENT_HEADER] for _, headers, _ in world.receiver.got] == [event.id] * 2
    assert world.delivery() == ["sent"]


def test_how_long_it_fails_is_known_after_a_start(world: World) -> None:
    world.receiver.mode = "fail"
    world.found("NEW_LENDER")
    world.until(START + 3000)
    world.begin()
    world.clock.now = START + 4000.0
    world.step()
    assert "fails" in world.notifying.alerts[0]


def test_a_secret_that_others_can_read_or_that_is_not_there_is_not_used(world: World) -> None:
    world.found("NEW_LENDER")
    world.secret.chmod(0o644)
    with pytest.raises(Unready, match="SECRET_IN_THE_OPEN"):
        world.step()
    world.secret.unlink()
    with pytest.raises(Unready, match="NO_SECRET"):
        world.step()
    world.secret.write_bytes(b"short")
    world.secret.chmod(0o600)
    with pytest.raises(InvalidInput, match="BAD_LENGTH"):
        world.step()
    assert world.receiver.got == []
    assert world.delivery() == ["pending"]


def test_without_a_webhook_events_wait_and_nothing_is_sent(world: World) -> None:
    world.found("NEW_LENDER")
    world.policy.unlink()
    world.step()
    assert world.delivery() == ["pending"]
    assert world.receiver.got == []


def test_many_are_sent_side_by_side(world: World) -> None:
    world.found(*["NEW_LENDER"] * 50)
    world.until(START + 5)
    assert world.delivery() == ["sent"] * 50
    assert len({headers[EVENT_HEADER] for _, headers, _ in world.receiver.got}) == 50
