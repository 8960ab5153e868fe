"""kill -9 of a node while it takes a feed: nothing acknowledged is lost, and a second run ends as an undisturbed one.

lender-1 takes every feed in peace, lender-2 the same feeds under fire; then their books and logs are held against each
other.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from plimsoll.v1 import lender_pb2

from ledger.chain.chain import Chain
from ledger.chain.entries import Kind
from ledger.errors import PlimsollError
from ledger.homes import home as layout
from node.lending.book import Book
from node.upkeep.leveldb import LevelStore
from tests.cluster import Cluster, batched
from tests.e2e.conftest import FULL, Found
from tests.e2e.feeds import row

PEACE, FIRE, OTHER = "lender-1", "lender-2", "lender-3"
BORROWERS = 6000 if FULL else 1500
EXTRA = 600
SEED = random.SystemRandom().getrandbits(32)

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]

Moment = Callable[[lender_pb2.ReportResponse], bool]


def feed(month: int) -> list[lender_pb2.FeedRow]:
    """Everybody's loan changes from month to month; of a tenth it is paid off in the second."""
    rows = []
    for number in range(BORROWERS):
        paid = month > 1 and number % 10 == 0
        state = {"status": "closed" if paid else "open", "as_of": f"2025-0{month}-28", "line": number + 2}
        rows.append(row(f"test:{number:06d}", 0 if paid else 10_000 + 1000 * month + number, **state))
    return rows


def after(phase: str, done: int) -> Moment:
    """The first message of this phase that tells of so many done."""
    return lambda response: response.phase == phase and response.done >= done


#: When the node is killed; a few milliseconds more pass each time.
FIRST_RUN: list[Moment] = [
    after("reading", BORROWERS),
    after("pseudonyms", 1),
    after("encrypting", 1),
    after("encrypting", BORROWERS // 2),
]
SECOND_RUN: list[Moment] = [after("reading", 1), after("encrypting", BORROWERS // 3)]
if FULL:
    FIRST_RUN += [after("pseudonyms", done) for done in range(1000, BORROWERS, 1000)]
    SECOND_RUN += [after("encrypting", done) for done in range(500, BORROWERS, 500)]


@pytest.fixture(scope="module")
def survivors(found_module: Found) -> Cluster:
    """Both lenders have taken both months, one of them killed on the way again and again."""
    print("seed", SEED)
    jitter = random.Random(SEED)
    cluster = found_module(3)
    cluster.start()
    cluster.wait_ready()
    for month, moments in ((1, FIRST_RUN), (2, SECOND_RUN)):
        assert cluster.report(PEACE, feed(month)).published == BORROWERS
        for moment in moments:
            kill_during(cluster, feed(month), moment, jitter.uniform(0, 0.15))
        summary = cluster.report(FIRE, feed(month))
        assert (summary.read, summary.accepted, summary.rejected) == (BORROWERS, BORROWERS, 0)
    return cluster


def kill_during(cluster: Cluster, rows: list[lender_pb2.FeedRow], moment: Moment, delay: float) -> None:
    """Sends the feed, kills the node that takes it a while after this moment, checks its store, starts it again."""
    acknowledged = 0
    killer = threading.Timer(delay, cluster.process(FIRE).kill)
    with suppress(PlimsollError):
        for response in cluster.lender(FIRE).report(batched(rows, 500)):
            if response.phase == "encrypting":
                acknowledged = response.done
            if moment(response) and not killer.is_alive() and not killer.finished.is_set():
                killer.start()
    assert killer.ident is not None, "the moment never came"
    killer.join()
    group = cluster.process(FIRE).pid
    cluster.kill(FIRE)
    held = check_store(cluster, FIRE)
    assert held[FIRE] >= acknowledged
    cluster.wait_until(lambda: not members_of(group), "the killed node's workers end by themselves", 5)
    cluster.restart(FIRE)


def check_store(cluster: Cluster, member: str) -> dict[str, int]:
    """Every byte of a stopped node's chain verifies; how many positions it holds, by author."""
    manifest = cluster.manifest
    names = [(each.name, manifest.origin(each.name), manifest.log_key(each.name)) for each in manifest.members]
    with closing(LevelStore(cluster.home_folder(member) / layout.CHAIN)) as store:
        chain = Chain(store, names)
        assert not chain.damaged
        for log in chain.logs():
            assert chain.verify(log.origin) == log.size
        return {log.member: log.counts.get(Kind.POSITION, 0) for log in chain.logs()}


def members_of(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, number = path.read_text().rpartition(")")[2].split()[:3]
            if int(number) == group and state != "Z":
                found.append(int(path.parent.name))
    return found


def book(cluster: Cluster, member: str) -> dict[str, bytes]:
    """What a stopped node's book says of the borrowers of the feeds."""
    with closing(LevelStore(cluster.home_folder(member) / layout.BOOK)) as store:
        opened = Book(store, cluster.keyring(member).book_key, os.urandom)
        records = opened.get_many([f"test:{number:06d}" for number in range(BORROWERS)])
        assert opened.borrowers == BORROWERS + (EXTRA if member == FIRE else 0)
    return {record.borrower: record.SerializeToString(deterministic=True) for record in records if record is not None}


def test_the_feed_again_publishes_nothing(survivors: Cluster) -> None:
    for member in (PEACE, FIRE):
        summary = survivors.report(member, feed(2))
        assert (summary.accepted, summary.published, summary.unchanged) == (BORROWERS, 0, BORROWERS)


def test_both_lenders_claims_are_alike_to_a_third(survivors: Cluster) -> None:
    survivors.wait_same_heads()
    for number in range(0, BORROWERS, BORROWERS // 40):
        answer = survivors.ask(OTHER, f"test:{number:06d}")
        open_now = number % 10 != 0
        assert answer.lenders == (2 if open_now else 0)
        if open_now:
            assert answer.amounts.outstanding == 2 * (12_000 + number)
        assert not answer.excluded


def test_a_custodian_that_is_killed_does_not_hold_up_a_feed(survivors: Cluster) -> None:
    killer = threading.Timer(0.3, survivors.process(OTHER).kill)
    killer.start()
    rows = [row(f"test:{9_000_000 + number}", 30_000, line=number + 2) for number in range(EXTRA)]
    summary = survivors.report(FIRE, rows)
    killer.join()
    survivors.kill(OTHER)
    assert summary.published == EXTRA
    survivors.restart(OTHER)
    survivors.wait_same_heads()


def test_a_node_told_to_stop_in_the_middle_of_its_work_ends_well(survivors: Cluster) -> None:
    for round_ in range(3):
        rows = [row(f"test:{8_000_000 + number}", 30_000 + round_, line=number + 2) for number in range(EXTRA)]
        feeding = threading.Thread(target=report_in_vain, args=(survivors, rows))
        feeding.start()
        time.sleep(0.2 * (round_ + 1))
        assert survivors.stop(OTHER) < 8  # and fails unless its exit code is 0
        feeding.join()
        check_store(survivors, OTHER)
        survivors.restart(OTHER)


def report_in_vain(cluster: Cluster, rows: list[lender_pb2.FeedRow]) -> None:
    """A feed whose node goes away."""
    with suppress(PlimsollError):
        cluster.report(OTHER, rows)


def test_the_books_and_logs_end_alike(survivors: Cluster) -> None:
    survivors.wait_same_heads()
    survivors.stop(*survivors.members)
    held = check_store(survivors, OTHER)
    assert held == {PEACE: 2 * BORROWERS, FIRE: 2 * BORROWERS + EXTRA, OTHER: held[OTHER]}
    assert book(survivors, FIRE) == book(survivors, PEACE)
