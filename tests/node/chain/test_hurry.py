"""What others wait for, in a key ceremony, is witnessed and told at once, and not with the next beats."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.ledger.witnesses import entry
from tests.node.witnesses import MANIFEST, Node, network

HEARTBEAT = MANIFEST.policy.heartbeat_seconds


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


async def seconds_until_all_know(nodes: list[Node], hurry: bool) -> float:
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(nodes[0].witnessing.run())
    try:
        await asyncio.sleep(0.2)  # the first beat is over
        begun = loop.time()
        await nodes[0].committer.append([entry(1)])
        for node in nodes:
            await node.compare()
        if hurry:
            nodes[0].witnessing.hurry()
        async with asyncio.timeout(4 * HEARTBEAT):
            while any(node.witnessed.size(node.origin(1)) < 1 for node in nodes):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return loop.time() - begun
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_two_beats_come_early(threads):
    assert await seconds_until_all_know(network(threads), hurry=True) < HEARTBEAT / 2


async def test_otherwise_beats_come_when_they_are_due(threads):
    assert await seconds_until_all_know(network(threads), hurry=False) > HEARTBEAT


async def test_an_author_waits_with_what_is_witnessed_until_the_others_know_of_it(threads):
    nodes = network(threads)
    author = nodes[0]
    assert author.witnessing.told(author.origin(1)) is None
    await author.committer.append([entry(1)])
    for node in nodes:
        await node.compare()
    for told in (0, 1):
        await author.beat()
        assert author.witnessed.size(author.origin(1)) == 1
        assert author.witnessing.told(author.origin(1)) == told
