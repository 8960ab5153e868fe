"""What all tests of challenges run on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from tests.node.challenges.parties import Party, parties


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


@pytest.fixture
async def three(threads: Executor) -> list[Party]:
    """Of a consortium; the first is challenged by the others, or doubts them."""
    return parties(threads)
