"""A node's part in changing the consortium: what it proposes, approves, refuses, and puts in force."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

import pytest

from ledger.consortium.lineage import open_lineage
from ledger.consortium.proposals import MAX_PROPOSALS
from ledger.errors import Exhausted, InvalidInput, NotFound, Refused, Unready
from ledger.homes import home as layout
from ledger.tlog.merkle import EMPTY_ROOT
from node.governance import Governance
from node.homes import files
from node.homes.home import Home, open_home
from tests.ledger.electorate import ended, renamed, rotated, successor, successor_text, without
from tests.lenders import lender, signed_manifest
from tests.node.assembly import Assembly

SEEDS = {f"lender-{number}": lender(number).keyring.log_seed for number in range(1, 6)}
SIGNED = signed_manifest(5)


class Direct:
    """Appends at once; `shut` until this node may sign."""

    def __init__(self, assembly: Assembly, member: str) -> None:
        self._assembly = assembly
        self._member = member
        self.shut = False

    async def may_sign(self) -> None:
        if self.shut:
            raise Unready("UNCONFIRMED_LOG", "not yet")

    async def append(self, entries):
        await self.may_sign()
        return self._assembly.append(self._member, *entries)


class World:
    """lender-1's governance over logs that everybody appends to."""

    def __init__(self, folder, **options) -> None:
        self.assembly = Assembly(SEEDS, SIGNED)
        config = 'member = "lender-1"\naddress = "lender-1.example:7700"\nlisten = "0.0.0.0:7700"\n'
        folder.mkdir(exist_ok=True)
        (folder / layout.CONFIG).write_text(config)
        self.home: Home = open_home(folder)
        files.write_over(folder / layout.MANIFEST, SIGNED.encode(), files.PUBLIC)
        self.committer = Direct(self.assembly, "lender-1")
        self.changes: list = []
        self.threads = ThreadPoolExecutor(2)
        self.governance = Governance(
            self.home,
            self.home.lineage(),
            self.assembly.chain,
            self.committer,  # type: ignore[arg-type]
            self.changed,
            self.threads,
            **options,
        )

    async def changed(self, history) -> None:
        # By now it is on the disk.
        assert open_lineage((self.home.folder / layout.LINEAGE).read_bytes()).history == history
        self.changes.append(history)

    @property
    def current(self):
        return self.governance.history.current

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.governance.run())
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.threads.shutdown()

    async def until(self, holds) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 -- any condition
                await asyncio.sleep(0.01)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "home")


def refused(kind, reason, coroutine):
    with pytest.raises(kind) as caught:
        asyncio.run(coroutine)
    assert caught.value.reason == reason
    return caught.value


def test_a_successor_is_in_force_once_enough_approve_and_it_is_on_the_disk(world):
    async def run():
        async with world.running():
            after = renamed(world.current, "New")
            identity, index = await world.governance.propose(after.text.encode())
            assert (identity, index) == (after.id, 0)
            assert await world.governance.approve(identity) == 1
            for member in ("lender-2", "lender-3"):
                world.assembly.approve(member, after)
            await asyncio.sleep(0.3)
            assert world.changes == []
            world.assembly.approve("lender-5", after)
            await world.until(lambda: world.changes)
            assert world.current == after
            assert await world.governance.proposals() == []

    asyncio.run(run())
    assert world.home.manifest().name == "New"
    assert [proof.member for proof in world.home.lineage().approvals[0]] == [
        "lender-1",
        "lender-2",
        "lender-3",
        "lender-5",
    ]


def test_a_node_that_was_away_comes_through_all_changes_in_order(world):
    mirror = Assembly(SEEDS, SIGNED)
    mirror.chain = world.assembly.chain
    mirror.pass_change(renamed(mirror.current, "One"))
    mirror.pass_change(renamed(mirror.current, "Two"))

    async def run():
        async with world.running():
            await world.until(lambda: len(world.changes) == 2)

    asyncio.run(run())
    assert [history.current.name for history in world.changes] == ["One", "Two"]
    assert world.home.history() == mirror.history


def test_an_approval_is_given_once_and_to_one_only_whatever_happens_at_once(world):
    one, two = renamed(world.current, "One"), renamed(world.current, "Two")

    async def run():
        for after in (one, two):
            await world.governance.propose(after.text.encode())
        return await asyncio.gather(
            *(world.governance.approve(after.id) for after in (one, two, one, two)), return_exceptions=True
        )

    given = asyncio.run(run())
    log = world.assembly.chain.log("lender-1")
    assert len(list(log.by_kind("approval"))) == 1
    assert given[0] == given[2]
    assert all(isinstance(each, Refused) and each.reason == "APPROVED_ANOTHER" for each in (given[1], given[3]))


def test_after_a_restart_it_is_still_bound_by_its_log(world, tmp_path):
    one, two = renamed(world.current, "One"), renamed(world.current, "Two")
    for after in (one, two):
        world.assembly.propose("lender-2", after)
    world.assembly.approve("lender-1", one)
    assert asyncio.run(world.governance.approve(one.id)) == 0
    refused(Refused, "APPROVED_ANOTHER", world.governance.approve(two.id))


def test_nothing_is_said_before_this_node_may_sign(world):
    after = renamed(world.current, "New")
    world.assembly.propose("lender-2", after)
    world.committer.shut = True
    refused(Unready, "UNCONFIRMED_LOG", world.governance.propose(after.text.encode()))
    refused(Unready, "UNCONFIRMED_LOG", world.governance.approve(after.id))
    assert world.assembly.chain.log("lender-1").size == 0


def test_what_may_not_succeed_is_not_proposed(world):
    governance = world.governance
    refused(Refused, "FIXED_TERM", governance.propose(successor_text(world.current, currency="USD").encode()))
    refused(InvalidInput, "BAD_MANIFEST", governance.propose(b"\xff"))
    refused(
        InvalidInput, "UNKNOWN_TIME_ZONE", governance.propose(successor_text(world.current, time_zone="A/B").encode())
    )
    refused(NotFound, "UNKNOWN_PROPOSAL", governance.approve(bytes(32)))
    assert world.assembly.chain.log("lender-1").size == 0


def test_one_member_proposes_only_so_much(world):
    async def run():
        for number in range(MAX_PROPOSALS):
            await world.governance.propose(renamed(world.current, f"Name {number}").text.encode())

    asyncio.run(run())
    refused(Exhausted, "TOO_MANY_PROPOSALS", world.governance.propose(renamed(world.current, "x").text.encode()))


def test_no_epoch_begins_while_the_shares_of_another_are_dealt(tmp_path):
    busy = [True]
    world = World(tmp_path / "home", resharing=lambda: busy[0])
    fresh, other = successor(world.current, epoch=2), renamed(world.current, "x")
    world.assembly.propose("lender-2", fresh)
    refused(Unready, "RESHARING", world.governance.propose(fresh.text.encode()))
    refused(Unready, "RESHARING", world.governance.approve(fresh.id))
    asyncio.run(world.governance.propose(other.text.encode()))
    busy[0] = False
    asyncio.run(world.governance.approve(fresh.id))


def test_the_log_of_who_takes_part_in_dealing_shares_does_not_end_meanwhile(tmp_path):
    busy = [True]
    world = World(tmp_path / "home", resharing=lambda: busy[0])
    text = rotated(world.current, "lender-5", ended=[ended(world.current, "lender-5", 0, EMPTY_ROOT)]).text.encode()
    refused(Unready, "RESHARING", world.governance.propose(text))
    busy[0] = False
    asyncio.run(world.governance.propose(text))


def test_a_log_ends_only_where_this_node_holds_it_and_with_the_root_it_holds(world):
    before = world.current
    world.assembly.approve("lender-5", renamed(before, "x"))
    held = world.assembly.chain.log("lender-5")

    def expelling(size, root):
        return without(before, "lender-5", ended=[ended(before, "lender-5", size, root)])

    refused(Refused, "OTHER_ROOT", world.governance.propose(expelling(1, bytes(32)).text.encode()))
    error = refused(Unready, "LACKS_ENTRIES", world.governance.propose(expelling(2, held.root_at(1)).text.encode()))
    assert error.path == "ended[0]"
    good = expelling(1, held.root_at(1))
    asyncio.run(world.governance.propose(good.text.encode()))
    asyncio.run(world.governance.approve(good.id))


def test_who_is_removed_is_not_asked(world):
    out = without(world.current, "lender-1", ended=[ended(world.current, "lender-1", 0, EMPTY_ROOT)])
    world.assembly.propose("lender-2", out)
    refused(Refused, "NO_VOTE", world.governance.approve(out.id))


def test_a_double_vote_is_seen(world):
    for name in ("One", "Two"):
        world.assembly.approve("lender-4", renamed(world.current, name))
    asyncio.run(world.governance.proposals())
    (double,) = world.governance.double_votes
    assert (double.member, double.first, double.second) == ("lender-4", 0, 1)


def test_a_disk_that_fails_puts_nothing_in_force(world, monkeypatch):
    after = renamed(world.current, "New")
    world.assembly.propose("lender-2", after)
    for member in list(SEEDS)[:4]:
        world.assembly.approve(member, after)
    failures = iter([True, False])
    real = files.write_over

    def write_over(path, content, mode):
        if next(failures):
            raise Unready("FILE_SYSTEM", "no space left on device")
        real(path, content, mode)

    monkeypatch.setattr(files, "write_over", write_over)

    async def run():
        async with world.running():
            await asyncio.sleep(0.5)
            assert world.changes == []
            assert world.current != after
            world.assembly.approve("lender-5", after)  # anything that wakes it
            await world.until(lambda: world.changes)

    asyncio.run(run())
    assert world.home.manifest() == after


def test_what_a_change_raises_ends_the_run(world):
    after = renamed(world.current, "New")
    world.assembly.propose("lender-2", after)
    for member in list(SEEDS)[:4]:
        world.assembly.approve(member, after)

    async def left(history):
        raise Refused("LEFT", "no member any more")

    world.governance._on_change = left

    async def run():
        with pytest.raises(Refused, match="no member"):
            await asyncio.wait_for(world.governance.run(), 20)

    asyncio.run(run())
    assert world.home.manifest() == after


def test_a_forked_log_ends_during_a_ceremony_as_nothing_more_of_it_will_count(tmp_path):
    world = World(tmp_path / "home", resharing=lambda: True, limit=lambda origin: 1 if "lender-5" in origin else None)
    world.assembly.approve("lender-5", renamed(world.current, "x"))
    world.assembly.approve("lender-5", renamed(world.current, "y"))
    held = world.assembly.chain.log("lender-5")

    def text(size):
        return rotated(
            world.current, "lender-5", ended=[ended(world.current, "lender-5", size, held.root_at(size))]
        ).text.encode()

    refused(Unready, "RESHARING", world.governance.propose(text(0)))
    asyncio.run(world.governance.propose(text(1)))
