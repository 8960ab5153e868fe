"""A node whose disk is not what it was: an old copy of its chain, or a replica that has rotted. It signs no second
history, and ends with what the others hold."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest

from ledger.chain.chain import Chain
from ledger.errors import Unready
from ledger.homes import home as layout
from node.upkeep.leveldb import LevelStore
from tests.cluster import Cluster
from tests.e2e.conftest import Found
from tests.e2e.feeds import row

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def three(found_module: Found) -> Cluster:
    cluster = found_module(3)
    cluster.start()
    cluster.wait_ready()
    return cluster


def rows(first: int, count: int = 5):
    return [row(f"test:{number:06d}", 30_000 + number, line=number + 2) for number in range(first, first + count)]


def problems(cluster: Cluster) -> list[str]:
    return [log.problem for member in cluster.running for log in cluster.status(member).logs if log.problem]


def test_a_restored_copy_of_the_chain_fetches_what_it_lacks_before_it_signs(three: Cluster) -> None:
    chain = three.home_folder("lender-1") / layout.CHAIN
    copy = chain.with_name("chain.copy")
    three.report("lender-1", rows(0))
    three.stop("lender-1")
    shutil.copytree(chain, copy)
    three.restart("lender-1")
    three.report("lender-1", rows(100))
    before = three.wait_same_heads()
    three.stop("lender-1")
    shutil.rmtree(chain)
    copy.rename(chain)
    three.restart("lender-1")
    assert three.report("lender-1", rows(200)).published == 5
    after = three.wait_same_heads()
    assert problems(three) == []
    assert after["lender-1"][0] == before["lender-1"][0] + 6  # five positions and one evaluation
    assert three.report("lender-1", rows(100)).published == 0


def test_a_copy_that_meets_nobody_signs_nothing_and_goes_on_reading(three: Cluster) -> None:
    three.wait_same_heads()
    three.stop("lender-1", "lender-2")
    three.start("lender-1")
    three.wait_until(lambda: three.status("lender-1").state == "read-only", "lender-1 is up")
    size, _ = three.sizes("lender-1")["lender-1"]
    with pytest.raises(Unready) as caught:
        three.report("lender-1", rows(300))
    assert caught.value.reason == "UNCONFIRMED_LOG"
    assert three.sizes("lender-1")["lender-1"][0] == size
    assert three.session("lender-1", "auditor").heads()
    three.restart("lender-2")
    three.wait_until(lambda: three.status("lender-1").state == "serving", "lender-1 may sign again")
    assert three.report("lender-1", rows(300)).published == 5
    three.wait_same_heads()


def test_a_replica_that_has_rotted_is_fetched_again(three: Cluster) -> None:
    heads = three.wait_same_heads()
    three.stop("lender-1")
    with closing(LevelStore(three.home_folder("lender-1") / layout.CHAIN)) as store:
        names = [
            (m.name, three.manifest.origin(m.name), three.manifest.log_key(m.name)) for m in three.manifest.members
        ]
        log = Chain(store, names).log("lender-2")
        key = log.keys.entry(log.size - 1)
        entry = store.get(key)
        assert entry is not None
        store.write([(key, entry[:-1] + bytes([entry[-1] ^ 1]))])
    three.restart("lender-1")
    assert three.wait_same_heads() == heads
    assert "damaged" in three.log_text("lender-1")
