"""What every test may rely on: hypothesis profiles, the order of a run, and data that lies outside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No deadlines: a busy machine is slow without being wrong. In CI every run tries the same examples.
settings.register_profile("default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None, print_blob=True)
settings.load_profile("default")

COSTS = ("slow", "process", "faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cheap tests first, so that a mistake shows in seconds; within one cost the order of the files stays."""
    items.sort(key=_cost)


def _cost(item: pytest.Item) -> int:
    return max((COSTS.index(mark) + 1 for mark in COSTS if item.get_closest_marker(mark)), default=0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of sample loan data beside the repository; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no sample data at {folder}")
    return folder
