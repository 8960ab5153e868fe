"""Blocks with what is taken out of them, by this process or by others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from plimsoll.v1 import peer_pb2

from client.audit.reading.digest import Digest, digest, digest_block
from client.audit.reading.workers import Workers
from ledger.errors import PlimsollError


def digested(blocks: Iterable[peer_pb2.Block], workers: Workers | None) -> Iterator[tuple[peer_pb2.Block, Digest]]:
    """Each block with what is taken out of it, in order; a few of them at a time where there are workers. What `blocks`
    raises is raised after all that came before it."""
    pending: deque[tuple[peer_pb2.Block, Future[Digest]]] = deque()
    failure: PlimsollError | None = None
    if workers is None:
        for block in blocks:
            yield block, digest(block.start, list(block.entries))  # taking them out of a message copies them
        return
    try:
        for block in blocks:
            pending.append((block, workers.submit(digest_block, block.SerializeToString())))
            if len(pending) >= workers.limit:
                done, found = pending.popleft()
                yield done, found.result()
    except PlimsollError as error:
        failure = error
    for done, found in pending:
        yield done, found.result()
    if failure is not None:
        raise failure
