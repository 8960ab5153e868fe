"""A failure at every write, lost or kept: nothing acknowledged is lost, and what is stored verifies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest
from plimsoll.v1 import peer_pb2

from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain, LogName
from ledger.chain.memory_store import Fault, MemoryStore
from ledger.chain.store import Store
from ledger.errors import PlimsollError
from ledger.tlog.note import Signer
from tests.ledger import sample_entries as sample
from tests.ledger.sample_logs import head_over
from tests.ledger.stores import KINDS, Disk, Faulty

RNG = Random(61)
ALPHA, BETA = (Signer.from_seed(f"plimsoll/{'5' * 64}/{name}", name.encode() * 8) for name in ("alph", "beta"))
NAMES = [LogName("alpha", ALPHA.key.name, ALPHA.key), LogName("beta", BETA.key.name, BETA.key)]
BATCHES = [[sample.position(RNG) for _ in range(count)] for count in (3, 250, 10, 1, 270)]
AUTHOR = Chain(MemoryStore(), NAMES)
for _count in (100, 260, 5):
    AUTHOR.own(BETA).append([sample.inquiry(RNG) for _ in range(_count)])
BLOCKS = list(blocks_from(AUTHOR.log("beta"), 0, limit=90))
REPLICATED = list(AUTHOR.log("beta").entries(0))


class Run:
    """Appends and replicates step by step. The step that fails is tried again, after `recover` where there is one."""

    def __init__(self, store: Store, recover: Callable[[], Store] | None) -> None:
        self.store = store
        self.recover = recover
        self.failures: list[str] = []
        self.chain: Chain | None = None
        self.appended: list[bytes] = []

    def run(self) -> Chain:
        self.step(self.open)
        for number, batch in enumerate(BATCHES):
            self.step(partial(self.append, batch))
            for block in BLOCKS[number :: len(BATCHES)]:  # out of order, so some come too early
                self.step(partial(self.apply, block))
        for block in BLOCKS:
            self.step(partial(self.apply, block))
        assert self.chain is not None
        return self.chain

    def open(self) -> None:
        self.chain = Chain(self.store, NAMES)

    def append(self, batch: list[bytes]) -> None:
        assert self.chain is not None
        own = self.chain.own(ALPHA)
        if own.size > len(self.appended):  # the write that failed had been kept
            assert list(own.log.entries(len(self.appended))) == batch
        else:
            assert own.append(batch) == len(self.appended)
        self.appended += batch

    def apply(self, block: peer_pb2.Block) -> None:
        assert self.chain is not None
        replica = self.chain.replica(block.origin)
        if block.start <= replica.size:
            replica.apply(block)

    def step(self, work: Callable[[], object]) -> None:
        try:
            work()
        except PlimsollError as error:
            self.failures.append(error.reason)
        else:
            return
        if self.recover is not None:
            self.store = self.recover()
            self.open()
        if self.chain is not None:
            assert list(self.chain.log("alpha").entries(0, len(self.appended))) == self.appended
            assert [self.chain.verify(name.origin) for name in NAMES] == [log.size for log in self.chain.logs()]
        work()


def check(chain: Chain) -> None:
    expected = [entry for batch in BATCHES for entry in batch]
    assert list(chain.log("alpha").entries(0)) == expected
    assert chain.log("alpha").head == head_over(expected, ALPHA)
    assert list(chain.log("beta").entries(0)) == REPLICATED
    assert chain.log("beta").head == AUTHOR.log("beta").head
    assert [chain.verify(name.origin) for name in NAMES] == [len(expected), len(REPLICATED)]


def count_writes() -> int:
    store = MemoryStore()
    check(Run(store, None).run())
    return store.writes


WRITES = count_writes()


def test_the_run_writes_often_enough_to_be_worth_breaking():
    assert WRITES >= 12


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("at", range(WRITES))
def test_a_failed_write_is_survived_by_the_running_process(at, fault):
    store = MemoryStore(faults={at: fault})
    run = Run(store, None)
    check(run.run())
    assert run.failures == ["STORE_FAILED"]
    check(Chain(MemoryStore(store.snapshot()), NAMES))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("at", range(WRITES))
def test_a_failed_write_is_survived_by_the_next_process(at, fault, kind, tmp_path: Path):
    disk = Disk(kind, tmp_path)
    run = Run(Faulty(disk.open(), {at: fault}), disk.open)
    check(run.run())
    assert run.failures == ["STORE_FAILED"]
    check(Chain(disk.open(), NAMES))
    disk.close()
