"""Evidence that only one node was shown: were it kept there, that node would disagree with all others for ever."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.chain.own_log import OwnLog
from ledger.witnessing.evidence import evidence_of
from ledger.witnessing.fork import Fork
from tests.ledger.witnesses import chain_of, history, name, signer
from tests.node.chain.test_freezing import LIAR, ORIGIN, branch, evidences, running, show, show_all, until
from tests.node.witnesses import MANIFEST, NOW, Node, network

HELPER = 4


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


async def proof(threads: Executor) -> bytes:
    stranger = Node(1, threads)
    await show(stranger, branch(1, 5))
    with pytest.raises(Fork) as found:
        await show(stranger, branch(2, 5))
    evidence = evidence_of(found.value, MANIFEST.log_key(name(LIAR)))
    assert evidence is not None
    return evidence.entry(NOW)


def written(author: int, entries: list[bytes]) -> peer_pb2.Block:
    """The log of this author, whole."""
    chain = chain_of(MANIFEST)
    OwnLog(chain.log(name(author)), signer(author)).append(entries)
    (block,) = blocks_from(chain.log(name(author)), 0)
    return block


@pytest.mark.parametrize("author", [LIAR, HELPER])
async def test_what_only_a_frozen_log_has_is_published_again(threads, author):
    """A member forks its log where nobody sees it, and shows the proof of it, in that log itself or in one of a helper
    that then forks its own likewise, to one node."""
    nodes = network(threads)
    one, other = nodes[:2]
    async with running(one, other):
        await one.gossip.take(written(author, [await proof(threads)]))
        await until(lambda: one.chain.frozen(ORIGIN))
        if author == HELPER:
            with pytest.raises(Fork):
                await one.gossip.take(written(HELPER, history(1, 7)))
        await until(lambda: any(ORIGIN.encode() in raw for raw in evidences(one, 1)))
        await show_all(one, other)
        await until(lambda: other.chain.frozen(ORIGIN))
