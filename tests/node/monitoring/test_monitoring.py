"""The node's part over a store in memory and a clock of the test's: who is asked about, what is kept, what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2

from ledger.chain.memory_store import MemoryStore
from ledger.consortium.history import History
from ledger.decision import DecisionPolicy
from ledger.errors import Exhausted, InvalidInput, NotFound, PlimsollError, Refused, Unavailable, Unready
from ledger.positions.bands import ABOVE
from ledger.positions.classification import CLASS_LABELS
from ledger.queries.inquiry import DAY
from node.clock import Clock
from node.consortium import Consortium
from node.monitoring.desk import WatchDesk
from node.monitoring.monitoring import Monitoring
from node.monitoring.watchlist import Watchlist
from tests.ledger.group_strategies import seeded
from tests.lenders import manifest

KEY = bytes(range(32))
CONSENT = bytes(range(1, 33))
START = 1_750_000_000
BY = "alice"


class FakeClock(Clock):
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = float(START)

    def unix(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


def answer(lenders: int = 2, outstanding: int | None = 1_000_00, **more: Any) -> lender_pb2.ExposureResponse:
    """What the ledger says."""
    response = lender_pb2.ExposureResponse(
        lenders=lenders,
        accounts=lenders,
        includes_own=True,
        classes=[lender_pb2.ClassCount(name=name, lenders=lenders * (name == "pass")) for name in CLASS_LABELS],
        bands=[lender_pb2.BandCount(upper=upper, lenders=lenders * (upper == "10000")) for upper in ("10000", ABOVE)],
        **more,
    )
    if outstanding is not None:
        response.amounts.CopyFrom(lender_pb2.Amounts(outstanding=outstanding))
    return response


class World:
    """A node's watching, begun again on the same disk at will. said: what the ledger answers, or raises."""

    def __init__(self, folder: Path, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.policy = folder / "watch.toml"
        self.clock = FakeClock()
        self.consortium = Consortium("lender-1", History([manifest(3)]))
        self.asked: list[tuple[int, str]] = []
        self.requests: list[lender_pb2.ExposureRequest] = []
        self.said: Callable[[str], lender_pb2.ExposureResponse | PlimsollError] = lambda _: answer()
        self.without_loan: set[str] = set()
        self.rng = seeded(7)
        self.told = 0
        self.begin()

    def begin(self) -> None:
        """As a new process does."""
        self.watchlist = Watchlist(self.store, KEY, self.rng)
        self.monitoring = Monitoring(
            self.consortium, self.watchlist, self.ask, self.has_loan, DecisionPolicy, self.policy, self.clock
        )
        self.monitoring.on_events = self.tell
        self.desk = WatchDesk(self.monitoring, self.has_loan, lambda: "Asia/Shanghai", self.clock, self.rng)

    def tell(self) -> None:
        self.told += 1

    def has_loan(self, borrower: str) -> bool:
        return borrower not in self.without_loan

    async def ask(self, request: lender_pb2.ExposureRequest) -> lender_pb2.ExposureResponse:
        self.asked.append((int(self.clock.now), request.borrower))
        self.requests.append(request)
        said = self.said(request.borrower)
        if isinstance(said, PlimsollError):
            raise said
        return said

    async def add(self, borrower: str = "test:1", **more: Any) -> lender_pb2.Watch:
        request = lender_pb2.WatchBorrowerRequest(borrower=borrower, consent_digest=CONSENT, **more)
        return (await self.desk.watch(request, BY)).watch

    async def until(self, time: float) -> None:
        """The loop as it runs, up to that time."""
        while self.clock.now < time:
            wait = await self.monitoring.step()
            self.clock.now = min(time, self.clock.now + wait)

    async def events(self) -> list[lender_pb2.WatchEvent]:
        return list((await self.desk.events(lender_pb2.EventsRequest())).events)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Whose loop looks once in half an hour, where nothing is due sooner: tests go over weeks."""
    monkeypatch.setattr("node.monitoring.monitoring.INTERVAL", 1800.0)
    return World(tmp_path)


def test_a_borrower_is_asked_about_at_once_and_then_every_so_many_days(world: World) -> None:
    async def run() -> None:
        await world.add(every_days=2)
        await world.until(START + 21 * DAY)
        times = [time for time, _ in world.asked]
        assert times[0] == START
        assert {later - before for before, later in pairwise(times[1:])} == {2 * DAY}
        assert len({request.consent_digest for request in world.requests}) == len(times) >= 10
        assert {request.purpose for request in world.requests} == {entry_pb2.PURPOSE_POST_LOAN}
        assert await world.events() == []

    asyncio.run(run())


def test_what_has_changed_is_kept_with_who_it_is_about_sealed(world: World) -> None:
    async def run() -> None:
        await world.add(reference="case 9", income=800_000)
        await world.until(START + DAY)
        world.said = lambda _: answer(3, 50_000_00, inquiry_index=7)
        await world.until(START + 15 * DAY)
        found = await world.events()
        assert [(each.number, each.code, each.reference) for each in found] == [
            (1, "NEW_LENDER", "case 9"),
            (2, "EXPOSURE_UP", "case 9"),
            (3, "HEADROOM_GONE", "case 9"),
        ]
        assert found[0].inquiry_index == 7
        assert {text.language for text in found[0].texts} == {"en", "zh"}
        assert world.told == 1
        told = b"".join(key + value for key, value in world.store.scan(b"\0", b"\xff"))
        for secret in (b"test:1", b"case 9", CONSENT):
            assert secret not in told

    asyncio.run(run())


def test_nothing_is_forgotten_when_the_node_starts_again(world: World) -> None:
    async def run() -> None:
        await world.add(every_days=7)
        await world.until(START + 60)
        world.begin()
        await world.until(START + 3 * DAY)
        assert len(world.asked) == 1, "it was answered before"
        world.said = lambda _: answer(1)
        world.begin()
        await world.until(START + 14 * DAY)
        assert [each.code for each in await world.events()] == ["SETTLED"]

    asyncio.run(run())


def test_no_burst_after_an_outage_and_nobody_is_left_out(world: World) -> None:
    world.policy.write_text('format = "plimsoll/watch/v1"\n[schedule]\ninquiry_share = 1\n')  # 1,000 a day

    async def run() -> None:
        for number in range(40):
            await world.add(f"test:{number}", every_days=1)
        await world.until(START + 2 * DAY)
        world.asked.clear()
        world.begin()
        world.clock.now += 5 * DAY
        begun = world.clock.now
        await world.until(begun + 40 * 87)
        times = [time for time, _ in world.asked]
        assert len({borrower for _, borrower in world.asked}) == len(times) == 40
        assert min(b - a for a, b in pairwise(times)) == 87

    asyncio.run(run())


def test_while_custodians_are_away_questions_are_few_and_it_is_said_after_an_hour(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        monkeypatch.setattr("node.monitoring.monitoring.INTERVAL", 60.0)
        for number in range(200):
            await world.add(f"test:{number}")
        world.said = lambda _: Unavailable("NO_CUSTODIANS", "too few of them answer")
        await world.until(START + 3500)
        assert world.monitoring.alerts == []
        await world.until(START + 6 * 3600)
        assert 5 < len(world.asked) < 15
        assert "too few of them answer" in world.monitoring.alerts[0]
        world.said = lambda _: answer()
        await world.until(START + 3 * DAY)
        assert world.monitoring.alerts == []
        assert len({borrower for time, borrower in world.asked if time > START + 6 * 3600}) == 200

    asyncio.run(run())


def test_a_borrower_has_no_more_questions_a_day_than_its_share(world: World) -> None:
    async def run() -> None:
        await world.add()
        world.said = lambda _: Refused("POLICY", "not this one")
        await world.until(START + 5 * DAY)
        times = [time for time, _ in world.asked]
        assert len(times) > 5
        for time in times:
            assert sum(time <= other < time + DAY for other in times) <= 2
        [watch] = (await world.desk.watched(lender_pb2.WatchedRequest())).watches
        assert (watch.problem, watch.answered, watch.questions) == ("POLICY", 0, len(times))

    asyncio.run(run())


def test_one_borrower_that_cannot_be_asked_about_does_not_keep_the_others_waiting(world: World) -> None:
    async def run() -> None:
        for number in range(5):
            await world.add(f"test:{number}")
        world.said = lambda borrower: Exhausted("SUM", "no sum") if borrower == "test:0" else answer()
        await world.until(START + 60)
        assert {borrower for _, borrower in world.asked} == {f"test:{number}" for number in range(5)}

    asyncio.run(run())


def test_what_the_node_was_not_ready_for_costs_nothing(world: World) -> None:
    async def run() -> None:
        await world.add()
        world.said = lambda _: Unready("NO_KEYS", "the key ceremony is not final yet")
        await world.until(START + DAY // 2)
        assert len(world.asked) > 5
        record = world.watchlist.at(world.watchlist.place("test:1"))
        assert record is not None
        assert list(record.begun) == []

    asyncio.run(run())


def test_watching_ends_with_the_consent(world: World) -> None:
    async def run() -> None:
        day = START // DAY + 3
        ends = (day + 1) * DAY - 8 * 3600  # midnight in Shanghai
        await world.add(every_days=1, until=day)
        await world.until(ends - 1)
        count = len(world.asked)
        assert count >= 3
        await world.until(ends + 10 * DAY)
        assert len(world.asked) == count
        assert [(each.code, each.time - ends < 1801) for each in await world.events()] == [("CONSENT_ENDED", True)]
        with pytest.raises(NotFound):
            await world.desk.check("test:1")
        assert not (await world.desk.watched(lender_pb2.WatchedRequest())).watches
        with pytest.raises(InvalidInput, match="until"):
            await world.add(until=day)
        await world.add()
        ended = (await world.desk.watched(lender_pb2.WatchedRequest(ended=True))).watches
        assert sorted(each.ended for each in ended) == ["", "CONSENT_ENDED"], "which consents there were is kept"

    asyncio.run(run())


def test_nobody_is_asked_about_whose_loan_is_repaid(world: World) -> None:
    async def run() -> None:
        await world.add()
        await world.until(START + 60)
        world.without_loan.add("test:1")
        await world.until(START + 20 * DAY)
        assert len(world.asked) == 1
        with pytest.raises(Refused, match="NOT_OWN_BORROWER"):
            await world.desk.check("test:1")
        world.without_loan.add("test:2")
        with pytest.raises(Refused, match="NOT_OWN_BORROWER"):
            await world.add("test:2")

    asyncio.run(run())


def test_an_answer_that_comes_after_the_watch_was_ended_is_thrown_away(world: World) -> None:
    async def run() -> None:
        await world.add()
        await world.until(START + 60)

        async def late(request: lender_pb2.ExposureRequest) -> lender_pb2.ExposureResponse:
            await world.desk.unwatch(request.borrower, BY)
            return answer(9)

        world.monitoring._ask = late
        await world.until(START + 15 * DAY)
        assert await world.events() == []
        record = world.watchlist.at(world.watchlist.place("test:1"))
        assert record is not None
        assert record.watch.ended == "REMOVED"
        assert not record.HasField("last")

    asyncio.run(run())


def test_a_policy_with_a_mistake_is_told_and_costs_no_question(world: World) -> None:
    async def run() -> None:
        await world.add()
        world.policy.write_text("format = 1")
        await world.until(START + 600)
        assert world.asked == []
        assert "watch.toml.format" in world.monitoring.alerts[0]
        world.policy.unlink()
        await world.until(START + 3600)
        assert len(world.asked) == 1
        assert world.monitoring.alerts == []

    asyncio.run(run())


def test_a_record_that_has_rotted_is_told_and_the_others_go_on(world: World) -> None:
    async def run() -> None:
        await world.add("test:1")
        await world.add("test:2")
        place = world.watchlist.place("test:1")
        world.store.write([(place, bytes(100))])
        world.begin()
        await world.until(START + 60)
        assert [borrower for _, borrower in world.asked] == ["test:2"]
        assert "1 record(s)" in world.monitoring.alerts[0]

    asyncio.run(run())


def test_events_come_in_parts_and_are_acknowledged_once(world: World) -> None:
    async def run() -> None:
        await world.add()
        await world.until(START + 60)
        world.said = lambda _: answer(1)
        found = list((await world.desk.check("test:1")).events)
        [event] = found
        done = (await world.desk.acknowledge(str(event.number), "bob")).event
        world.clock.now += 60
        again = (await world.desk.acknowledge(event.id, "carol")).event
        assert (done.acknowledged_by, again.acknowledged_by, again.acknowledged) == ("bob", "bob", done.acknowledged)
        assert await world.events() == []
        everything = await world.desk.events(lender_pb2.EventsRequest(acknowledged=True))
        assert [each.id for each in everything.events] == [event.id]
        assert (everything.last, everything.more) == (1, False)
        for unknown in ("", "2", "1-", f"{event.id}0", "x", "-1"):
            with pytest.raises(NotFound):
                await world.desk.acknowledge(unknown, "bob")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"borrower": "nobody"}, "borrower"),
        ({"consent_digest": b"1"}, "consent_digest"),
        ({"every_days": 367}, "every_days"),
        ({"reference": "a\nb"}, "reference"),
        ({"reference": "x" * 201}, "reference"),
        ({"reference": "loan of 123456"}, "reference"),
        ({"until": 0}, "until"),
        ({"until": 4_000_000_000}, "until"),
        ({"income": 1 << 62}, "income"),
    ],
)
def test_what_makes_no_sense_is_named(world: World, changes: dict[str, Any], path: str) -> None:
    request = lender_pb2.WatchBorrowerRequest(**{"borrower": "test:123456", "consent_digest": CONSENT, **changes})
    with pytest.raises(InvalidInput) as caught:
        asyncio.run(world.desk.watch(request, BY))
    assert caught.value.path == path


def test_the_list_comes_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.monitoring.desk.PAGE", 3)

    async def run() -> None:
        for number in range(8):
            await world.add(f"test:{number}")
        await world.desk.unwatch("test:0", BY)
        await world.add("test:0")
        request, found = lender_pb2.WatchedRequest(ended=True), []
        while True:
            part = await world.desk.watched(request)
            found += [each.borrower for each in part.watches]
            if not part.next:
                break
            request.after = part.next
        assert sorted(found) == ["test:0"] + [f"test:{number}" for number in range(8)]
        with pytest.raises(InvalidInput):
            await world.desk.watched(lender_pb2.WatchedRequest(after="zz"))

    asyncio.run(run())
