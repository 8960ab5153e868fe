"""Consortiums of real processes. Each costs about 15 s, so tests that leave nodes as they found them share one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from node import table
from tests.cluster import Cluster
from tests.e2e.impostor import Impostor
from tests.e2e.proxy import Proxy

#: Set to 1 for the runs that take long: the data of the whole portfolio, ten thousand positions.
FULL = os.environ.get("PLIMSOLL_FULL", "") == "1"
FULL_REASON = "takes minutes: set PLIMSOLL_FULL=1"

Found = Callable[..., Cluster]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder starts processes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.process)


@pytest.fixture(scope="session")
def dlog_table() -> None:
    """The machine's table of discrete logarithms, built once; nodes that start together would all wait for it."""
    table.load()


@pytest.fixture(scope="session")
def consortium(tmp_path_factory: pytest.TempPathFactory, dlog_table: None) -> Iterator[Cluster]:
    """Five members, default policy. A test uses borrowers of its own, and leaves every node running."""
    with Cluster.found(tmp_path_factory.mktemp("consortium")) as cluster:
        cluster.start()
        cluster.wait_ready()
        yield cluster
        cluster.check_logs()


@dataclass(frozen=True)
class Hostile:
    """Six members, of whom lender-1 to lender-5 are custodians. lender-1 and lender-4 are honest and run plainly.

    proxies: in front of lender-2 and lender-3, to lie or to delay. impostor: lender-5, whose node is stopped. lender-6
    is stopped, too, and nobody has its keys yet.
    """

    cluster: Cluster
    proxies: Mapping[str, Proxy]
    impostor: Impostor


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory, dlog_table: None) -> Iterator[Hostile]:
    """Shared by all tests of dishonest members; each uses borrowers of its own and leaves the proxies honest."""
    custodians = [f"--custodian=lender-{number}" for number in range(1, 6)]
    policy = {"min_contributors": 2, "heads_seconds": 5, "evaluations_per_day": 9000}
    proxied = ("lender-2", "lender-3")
    folder = tmp_path_factory.mktemp("hostile")
    with Cluster.found(folder, 6, policy=policy, options=custodians, behind=proxied) as cluster:
        proxies = {member: Proxy(cluster, member) for member in proxied}
        cluster.start()
        cluster.wait_ready()
        cluster.wait_same_heads()
        cluster.stop("lender-5", "lender-6")
        yield Hostile(cluster, proxies, Impostor(cluster, "lender-5", ("lender-1", "lender-2", "lender-3", "lender-4")))
        for proxy in proxies.values():
            proxy.close()
        cluster.check_logs()


@pytest.fixture(scope="module")
def found_module(tmp_path_factory: pytest.TempPathFactory, dlog_table: None) -> Iterator[Found]:
    """Founds clusters for one module; as `Cluster.found`, without the folder."""
    yield from _founder(tmp_path_factory)


@pytest.fixture
def found(tmp_path_factory: pytest.TempPathFactory, dlog_table: None) -> Iterator[Found]:
    """Founds clusters for one test."""
    yield from _founder(tmp_path_factory)


def _founder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    clusters: list[Cluster] = []

    def make(*arguments: object, **keywords: object) -> Cluster:
        clusters.append(Cluster.found(tmp_path_factory.mktemp("cluster"), *arguments, **keywords))  # type: ignore[arg-type]
        return clusters[-1]

    try:
        yield make
        for cluster in clusters:
            cluster.check_logs()
    finally:
        for cluster in clusters:
            cluster.close()
