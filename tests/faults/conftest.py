"""Faults of machines and networks, made for real. What a machine does not allow is skipped with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node import table
from tests.faults import loopdisk, namespaces
from tests.faults.loopdisk import LoopDisk
from tests.faults.namespaces import Namespaces

FIVE = tuple(f"lender-{number}" for number in range(1, 6))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder starts processes and disturbs them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.process)
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def dlog_table() -> None:
    """The machine's table of discrete logarithms; nodes that start together would all wait for it."""
    table.load()


@pytest.fixture(scope="module")
def network() -> Iterator[Namespaces]:
    """A namespace each for lender-1 to lender-5."""
    if why := namespaces.reason():
        pytest.skip(why)
    with Namespaces(FIVE) as made:
        yield made


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    """A file system of its own, which can be stalled."""
    if why := loopdisk.reason():
        pytest.skip(why)
    with LoopDisk(tmp_path / "disk") as made:
        yield made
