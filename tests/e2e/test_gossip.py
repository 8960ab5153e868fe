"""Replication between five real nodes: many positions, nodes that are away, frozen, or have lost their replicas."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import closing

import pytest

from ledger.chain.chain import Chain
from ledger.homes import home as layout
from node.upkeep.leveldb import LevelStore
from tests.cluster import Cluster
from tests.e2e.conftest import Found
from tests.e2e.feeds import row

EACH = 2500
MIB = 1 << 20

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def five(found_module: Found) -> Cluster:
    cluster = found_module(5)
    cluster.start()
    cluster.wait_ready()
    return cluster


def load(cluster: Cluster, *members: str, count: int, amount: int) -> None:
    """Each of these members reports so many borrowers, all at once."""
    published: list[int] = []

    def one(member: str) -> None:
        rows = [row(f"test:{number:06d}", amount + number, line=number + 2) for number in range(count)]
        published.append(cluster.report(member, rows).published)

    feeds = [threading.Thread(target=one, args=(member,)) for member in members]
    for feed in feeds:
        feed.start()
    for feed in feeds:
        feed.join()
    assert published == [count] * len(members)


def test_ten_thousand_positions_end_in_the_same_heads_also_at_a_node_that_was_away(five: Cluster) -> None:
    five.kill("lender-5")
    started = time.monotonic()
    load(five, "lender-1", "lender-2", "lender-3", "lender-4", count=EACH, amount=20_000)
    loaded = time.monotonic() - started
    heads = five.wait_same_heads()
    print(f"loaded in {loaded:.1f} s, the same at four after {time.monotonic() - started:.1f} s")
    assert sum(size for size, _ in heads.values()) >= 4 * EACH
    started = time.monotonic()
    five.restart("lender-5")
    assert five.wait_same_heads(30) == heads
    print(f"started and caught up in {time.monotonic() - started:.1f} s")
    for member in five.members:
        assert five.status(member).memory_bytes < 500 * MIB


def test_what_is_asked_after_all_this_is_right_everywhere(five: Cluster) -> None:
    for member in five.members:
        answer = five.ask(member, f"test:{EACH - 1:06d}")
        assert answer.lenders == 4
        assert answer.amounts.outstanding == 4 * (20_000 + EACH - 1)


def test_a_frozen_node_holds_nobody_up_and_catches_up(five: Cluster) -> None:
    five.freeze("lender-4")
    try:
        load(five, "lender-1", "lender-5", count=300, amount=90_000)
        others = [member for member in five.members if member != "lender-4"]

        def agree() -> bool:
            first, *rest = (five.sizes(member) for member in others)
            return all(one == first for one in rest)

        five.wait_until(agree, "the others agree", 20)
    finally:
        five.thaw("lender-4")
    five.wait_same_heads(40)


def test_a_node_that_lost_its_replicas_fetches_them_again(five: Cluster) -> None:
    heads = five.wait_same_heads()
    five.stop("lender-3")
    manifest = five.manifest
    names = [(each.name, manifest.origin(each.name), manifest.log_key(each.name)) for each in manifest.members]
    with closing(LevelStore(five.home_folder("lender-3") / layout.CHAIN)) as store:
        chain = Chain(store, names)
        for log in chain.logs():
            if log.member != "lender-3":
                assert chain.forget(log.origin).size == 0
    five.restart("lender-3")
    assert five.wait_same_heads(30) == heads


def test_a_node_that_lost_its_whole_chain_fetches_its_own_log_too_and_goes_on_with_it(five: Cluster) -> None:
    heads = five.wait_same_heads()
    five.stop("lender-2")
    shutil.rmtree(five.home_folder("lender-2") / layout.CHAIN)
    five.restart("lender-2")
    assert five.wait_same_heads(30) == heads
    load(five, "lender-2", count=10, amount=70_000)
    grown = five.wait_same_heads()
    assert grown["lender-2"][0] > heads["lender-2"][0]
    for member in five.members:
        assert not [log.problem for log in five.status(member).logs if log.problem]
    summary = five.report("lender-2", [row("test:000000", 70_000)])
    assert (summary.published, summary.unchanged) == (0, 1)
