"""Everything at once, for a while: processes killed and stopped, networks that part and lose, a disk that stalls, while
five lenders feed and ask. Afterwards nothing acknowledged is missing and nothing that was answered was false.

PLIMSOLL_STORM_SEED makes the faults of a run that failed again, PLIMSOLL_STORM_SECONDS sets how long it lasts.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import starmap
from pathlib import Path

import pytest

from ledger.borrower.labels import BorrowerKeys, Numbered
from ledger.chain.chain import Chain
from ledger.homes import home as layout
from node.lending.book import Book
from node.upkeep.leveldb import LevelStore
from node.upkeep.stores import log_names
from tests.cluster import Cluster
from tests.e2e.commands import plimsoll
from tests.e2e.conftest import FULL
from tests.faults.conftest import FIVE
from tests.faults.lending import Asker, Lender, Told, outstanding
from tests.faults.loopdisk import LoopDisk
from tests.faults.namespaces import Namespaces
from tests.faults.schedule import Fault, Kind, draw

SEED = int(os.environ.get("PLIMSOLL_STORM_SEED") or random.SystemRandom().getrandbits(32))
SECONDS = float(os.environ.get("PLIMSOLL_STORM_SECONDS") or (300 if FULL else 40))
BORROWERS = [f"test:{number:03d}" for number in range(150 if FULL else 60)]
#: Whose home lies on the disk that stalls.
ON_DISK = "lender-5"
#: Seconds until all is as it should be again, on a machine that may be very busy.
HEALING = 120.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 600)]


class Storm:
    """Makes the faults of a schedule happen, and end."""

    def __init__(self, cluster: Cluster, network: Namespaces, disk: LoopDisk) -> None:
        self.cluster = cluster
        self.network = network
        self.disk = disk
        self._stalled = False

    def blow(self, faults: list[Fault]) -> None:
        """Returns when all are over. Fails where a node has ended by itself."""
        begun = time.monotonic()
        moments = sorted(
            [(fault.start, 1, fault) for fault in faults] + [(fault.end, 0, fault) for fault in faults],
            key=lambda moment: moment[:2],
        )
        for moment, starts, fault in moments:
            while (left := begun + moment - time.monotonic()) > 0:
                self._check()
                time.sleep(min(left, 0.2))
            print(f"{moment:6.1f} {'begins' if starts else 'ends  '} {fault.kind.value} {fault.members} {fault.share}")
            (self._begin if starts else self._end)(fault)

    def _check(self) -> None:
        for member in self.cluster.running:
            code = self.cluster.process(member).poll()
            assert code is None, f"{member} died with {code}:\n{self.cluster.tail(member)}"

    def _begin(self, fault: Fault) -> None:
        if fault.kind is Kind.KILL:
            if fault.members[0] == ON_DISK and self._stalled:
                self.disk.go_on()  # what waits for a disk does not even die
                self._stalled = False
            self.cluster.kill(*fault.members)
        elif fault.kind is Kind.STOP:
            self.cluster.freeze(*fault.members)
        elif fault.kind is Kind.PART:
            self.network.part(fault.members, set(FIVE) - set(fault.members))
        elif fault.kind is Kind.LOSE:
            pairs = [(one, other) for one in fault.members for other in FIVE if one != other]
            self.network.lose(fault.share, pairs or None)
        else:
            self.disk.stall()
            self._stalled = True

    def _end(self, fault: Fault) -> None:
        if fault.kind is Kind.KILL:
            self.cluster.start(*fault.members)
        elif fault.kind is Kind.STOP:
            self.cluster.thaw(*fault.members)
        elif fault.kind in (Kind.PART, Kind.LOSE):
            self.network.heal()
        elif self._stalled:
            self.disk.go_on()
            self._stalled = False


@pytest.fixture
def five(tmp_path: Path, network: Namespaces, disk: LoopDisk, dlog_table: None) -> Iterator[Cluster]:
    policy = {"queries_per_borrower": 1000, "heartbeat_seconds": 2}
    with Cluster.found(tmp_path / "five", 5, policy=policy, network=network) as cluster:
        disk.move(cluster.home_folder(ON_DISK))
        with (cluster.home_folder(ON_DISK) / layout.CONFIG).open("a") as config:
            config.write("reserve_mib = 16\n")
        cluster.start()
        cluster.wait_ready(timeout=180)
        yield cluster


def test_after_a_storm_nothing_acknowledged_is_missing_and_nothing_told_was_false(
    five: Cluster, network: Namespaces, disk: LoopDisk
) -> None:
    print("seed", SEED)
    stop = threading.Event()
    endpoints = [five.endpoint(member, "lender") for member in FIVE]
    lenders = [Lender(place, endpoint, BORROWERS, SEED + 10 * place, stop) for place, endpoint in enumerate(endpoints)]
    for lender in lenders:
        lender.start()
    five.wait_until(lambda: all(lender.feeds for lender in lenders), "everybody's first feed", HEALING)
    five.wait_until(lambda: all(_positions(five, member) for member in FIVE), "it is everywhere", HEALING)
    askers = [Asker(lender, stop) for lender in lenders]
    for asker in askers:
        asker.start()
    try:
        Storm(five, network, disk).blow(draw(random.Random(SEED), SECONDS, FIVE))
    finally:
        stop.set()
    healed = time.monotonic()
    for thread in (*lenders, *askers):
        thread.join(HEALING)
        assert not thread.is_alive(), f"a feed or a question has not come to an end: {thread}"
    five.wait_ready(timeout=HEALING)
    five.wait_same_heads(HEALING)
    print(f"the same heads {time.monotonic() - healed:.1f} s after the storm")
    _summary(lenders, askers)
    five.wait_until(lambda: all(_untroubled(five, member) for member in FIVE), "nothing is left of it", HEALING)
    truth = {borrower: [lender.acknowledged[borrower] for lender in lenders] for borrower in BORROWERS}
    told = [told for asker in askers for told in asker.told]
    assert told
    told += [_ask_again(five, lenders, place, borrower) for borrower in BORROWERS[::10] for place in range(5)]
    five.wait_same_heads(HEALING)
    five.stop(*FIVE)
    five.check_logs()
    _check_no_traceback(five)
    for member in FIVE:
        assert plimsoll(five, member, "fsck")["verdict"] == "ok"
        _check_book(five, member, {borrower: versions[FIVE.index(member)] for borrower, versions in truth.items()})
    _check_answers(five, told, truth)


def _positions(cluster: Cluster, member: str) -> bool:
    return all(size > len(BORROWERS) for size, _ in cluster.sizes(member).values())


def _untroubled(cluster: Cluster, member: str) -> bool:
    status = cluster.status(member)
    troubled = [log for log in status.logs if log.problem or log.frozen or log.witnessed_size != log.size]
    return status.state == "serving" and not status.alerts and not troubled


def _summary(lenders: list[Lender], askers: list[Asker]) -> None:
    for lender, asker in zip(lenders, askers, strict=True):
        asked = f"{len(asker.told)} answers, refused: {dict(Counter(asker.errors))}"
        print(f"lender-{lender.place + 1}: {lender.feeds} feeds, {lender.retries} tries in vain, {asked}")
        print(f"   feeds refused: {dict(Counter(lender.errors))}")


def _ask_again(cluster: Cluster, lenders: list[Lender], place: int, borrower: str) -> Told:
    """In the calm after the storm everybody's sum is the truth."""
    answer = cluster.ask(FIVE[place], borrower)
    expected = sum(outstanding(lender.place, lender.acknowledged[borrower]) for lender in lenders)
    assert answer.amounts.outstanding == expected, answer
    return Told(place, answer, lenders[place].acknowledged[borrower])


def _check_no_traceback(cluster: Cluster) -> None:
    for member in FIVE:
        said = cluster.log_text(member)
        assert "Traceback" not in said, said[said.index("Traceback") - 500 :][:4000]


def _check_book(cluster: Cluster, member: str, versions: dict[str, int]) -> None:
    """A stopped node's book has every borrower as it was last acknowledged: neither less nor more."""
    with closing(LevelStore(cluster.home_folder(member) / layout.BOOK)) as store:
        book = Book(store, cluster.keyring(member).book_key, os.urandom)
        records = {record.borrower: record for _, record in book.records() if record is not None}
    assert {borrower: records[borrower].published for borrower in versions} == versions
    place = FIVE.index(member)
    assert {borrower: records[borrower].loans[0].outstanding for borrower in versions} == {
        borrower: outstanding(place, version) for borrower, version in versions.items()
    }


def _check_answers(cluster: Cluster, told: list[Told], truth: dict[str, list[int]]) -> None:
    """Each was the truth at the very heads that it names; all nodes hold these logs, so one of them will do."""
    keys = _keys(cluster, FIVE[0])
    with closing(LevelStore(cluster.home_folder(FIVE[0]) / layout.CHAIN)) as store:
        chain = Chain(store, log_names(cluster.manifest))

        def version(member: str, borrower: str, size: int) -> int:
            newest = Numbered(chain.log(member), keys[borrower].query.positions(member)).newest(size)
            return 0 if newest is None else newest + 1

        for borrower, versions in truth.items():
            assert [version(member, borrower, chain.log(member).size) for member in FIVE] == versions
        withheld: Counter[str] = Counter()
        for each in told:
            answer = each.answer
            found = [version(log.member, answer.borrower, log.size) for log in answer.logs]
            assert [log.member for log in answer.logs] == list(FIVE)
            assert found[each.asker] >= each.at_least, "what was acknowledged before the question is in the answer"
            assert answer.lenders == answer.accounts == sum(map(bool, found))
            assert not answer.excluded
            if answer.HasField("amounts"):
                assert answer.amounts.outstanding == sum(starmap(outstanding, enumerate(found)))
            else:
                withheld[answer.withheld] += 1
        print(f"{len(told)} answers true at their heads, amounts withheld from {dict(withheld)}")
        assert len(told) > 2 * withheld.total()


def _keys(cluster: Cluster, member: str) -> dict[str, BorrowerKeys]:
    """By borrower, out of a stopped node's book."""
    with closing(LevelStore(cluster.home_folder(member) / layout.BOOK)) as store:
        book = Book(store, cluster.keyring(member).book_key, os.urandom)
        return {
            record.borrower: BorrowerKeys.from_pseudonym_key(record.pseudonym_key)
            for _, record in book.records()
            if record is not None
        }
