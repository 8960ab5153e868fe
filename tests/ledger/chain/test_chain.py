"""The chain: many logs in one store, through openings, growth and loss, against a model that only keeps lists."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain, LogName
from ledger.chain.entries import file_entry
from ledger.chain.log_keys import MAX_NUMBER, NEXT_NUMBER, LogKeys, encode_number
from ledger.chain.memory_store import MemoryStore
from ledger.errors import Exhausted, InvalidInput, NotFound, PlimsollError, Unverified
from ledger.tlog import merkle
from ledger.tlog.note import Signer
from tests.ledger import sample_entries as sample
from tests.ledger.sample_logs import head_over
from tests.ledger.stores import KINDS, Disk

RNG = Random(51)
SIGNERS = {
    name: Signer.from_seed(f"plimsoll/{'5' * 64}/{name}", bytes([number]) * 32)
    for number, name in enumerate(["alpha", "beta", "gamma"], 1)
}
NAMES = [LogName(name, signer.key.name, signer.key) for name, signer in SIGNERS.items()]
ORIGINS = {name.member: name.origin for name in NAMES}


def positions(count: int) -> list[bytes]:
    return [sample.position(RNG) for _ in range(count)]


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(request.param, tmp_path)
    yield disk
    disk.close()


# -- many logs


def test_logs_of_one_store_do_not_mix(disk):
    chain = Chain(disk.open(), NAMES)
    label = b"L" * 16
    entries = {name: [*positions(300), sample.inquiry(RNG, label)] for name in SIGNERS}
    for start in range(0, 301, 100):
        for name, signer in SIGNERS.items():
            chain.own(signer).append(entries[name][start : start + 100])
    chain = Chain(disk.open(), reversed(NAMES))
    for name, signer in SIGNERS.items():
        log = chain.log(name)
        assert list(log.entries(0)) == entries[name]
        assert list(log.by_kind("inquiry")) == [300]
        assert log.find(label) == 300
        assert log.head == head_over(entries[name], signer)
        assert chain.verify(log.origin) == 301


def test_logs_are_found_by_member_and_by_origin():
    chain = Chain(MemoryStore(), NAMES)
    assert [log.member for log in chain.logs()] == ["alpha", "beta", "gamma"]
    assert all(chain.log_by_origin(ORIGINS[log.member]) is log is chain.log(log.member) for log in chain.logs())
    for ask in (chain.log, chain.log_by_origin, chain.replica, chain.verify, chain.forget):
        with pytest.raises(NotFound) as caught:
            ask("delta")
        assert caught.value.reason == "NO_LOG"
    with pytest.raises(NotFound):
        chain.own(Signer.from_seed("delta", bytes(32)))


def test_a_member_that_comes_back_under_a_new_origin_has_both_logs():
    chain = Chain(MemoryStore(), NAMES)
    chain.own(SIGNERS["beta"]).append(positions(3))
    again = Signer.from_seed(ORIGINS["beta"] + ".2", bytes(32))
    log = chain.add("beta", again.key.name, again.key)
    assert chain.log("beta") is log
    assert log.size == 0
    assert chain.log_by_origin(ORIGINS["beta"]).size == 3
    assert len(chain.logs()) == 4


def test_names_that_do_not_fit_together_are_refused():
    key = SIGNERS["alpha"].key
    for names in ([("alpha", "other", key)], [NAMES[0], NAMES[0]]):
        with pytest.raises(InvalidInput) as caught:
            Chain(MemoryStore(), names)
        assert caught.value.path == "origin"


def test_a_store_has_numbers_for_65535_logs():
    store = MemoryStore({NEXT_NUMBER: encode_number(MAX_NUMBER - 1)})
    Chain(store, NAMES[:1]).own(SIGNERS["alpha"]).append(positions(1))
    with pytest.raises(Exhausted):
        Chain(store, NAMES)
    assert Chain(store, NAMES[:1]).verify(ORIGINS["alpha"]) == 1


# -- damage


def test_a_damaged_log_is_named_and_does_not_keep_the_others_from_working(disk):
    store = disk.open()
    chain = Chain(store, NAMES)
    history = positions(300)
    for name, signer in SIGNERS.items():
        chain.own(signer).append(history if name == "beta" else positions(5))
    store.write([(LogKeys(1).entry(290), b"rotten")])
    chain = Chain(disk.open(), NAMES)
    assert chain.damaged.keys() == {ORIGINS["beta"]}
    assert [log.member for log in chain.logs()] == ["alpha", "gamma"]
    assert chain.own(SIGNERS["alpha"]).append(positions(1)) == 5
    for use in (lambda: chain.log("beta").size, lambda: chain.own(SIGNERS["beta"]).append(positions(1))):
        with pytest.raises(Unverified) as caught:
            use()
        assert caught.value.reason == chain.damaged[ORIGINS["beta"]].reason == "ROOT_MISMATCH"
    with pytest.raises(Unverified):
        chain.verify(ORIGINS["beta"])


def test_a_forgotten_log_begins_anew_and_leaves_nothing_behind(disk):
    store = disk.open()
    chain = Chain(store, NAMES)
    history = positions(300)
    for signer in SIGNERS.values():
        chain.own(signer).append(history)
    blocks = list(blocks_from(chain.log("beta"), 0))
    store.write([(LogKeys(1).tile(0, 0), b"rotten")])
    fresh = chain.forget(ORIGINS["beta"])
    assert (fresh, fresh.size) == (chain.log("beta"), 0)
    assert not [key for prefix in LogKeys(1).all() for key, _ in store.scan(prefix, prefix + b"\xff" * 30)]
    assert [chain.replica(ORIGINS["beta"]).apply(block) for block in blocks] == [300]
    chain = Chain(disk.open(), NAMES)
    assert not chain.damaged
    assert [chain.verify(origin) for origin in ORIGINS.values()] == [300, 300, 300]


def test_forgetting_a_damaged_log_heals_the_chain():
    store = MemoryStore()
    Chain(store, NAMES).own(SIGNERS["beta"]).append(positions(3))
    store.write([(LogKeys(1).entry(1), None)])
    chain = Chain(store, NAMES)
    assert chain.damaged
    chain.forget(ORIGINS["beta"])
    assert not chain.damaged
    assert len(chain.logs()) == 3


# -- against a model


class Histories(RuleBasedStateMachine):
    """Authors write in their own stores; one reader replicates them in any blocks, and is opened again at any time."""

    members = st.sampled_from(list(SIGNERS))

    def __init__(self, kind: str, base: Path) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=base))
        self.disk = Disk(kind, self.folder)
        self.rng = Random(0)
        self.author = {name: Chain(MemoryStore(), NAMES).own(SIGNERS[name]) for name in SIGNERS}
        self.model: dict[str, list[bytes]] = {name: [] for name in SIGNERS}
        self.held = dict.fromkeys(SIGNERS, 0)

        self.open_again()

    @rule()
    def open_again(self):
        self.chain = Chain(self.disk.open(), NAMES)

    @rule(name=members, count=st.one_of(st.integers(1, 4), st.integers(200, 300)), data=st.randoms())
    def append(self, name, count, data):
        kinds = [sample.position, sample.position, sample.inquiry, sample.evaluation]
        entries = [data.choice(kinds)(self.rng) for _ in range(count)]
        assert self.author[name].append(entries) == len(self.model[name])
        self.model[name] += entries

    @rule(name=members, data=st.data())
    def replicate(self, name, data):
        start = data.draw(st.integers(0, self.held[name]))
        limit = data.draw(st.sampled_from([1, 7, 100, 256, 1000]))
        for block in itertools.islice(blocks_from(self.author[name].log, start, limit=limit), 2):
            stop = block.start + len(block.entries)
            if block.start <= self.held[name]:
                self.held[name] = max(self.held[name], stop)
                assert self.chain.replica(ORIGINS[name]).apply(block) == self.held[name]
            else:
                with pytest.raises(PlimsollError):
                    self.chain.replica(ORIGINS[name]).apply(block)

    @rule(name=members)
    def lose_and_begin_anew(self, name):
        self.chain.forget(ORIGINS[name])
        self.held[name] = 0

    @rule(name=members)
    def check_stored(self, name):
        assert self.chain.verify(ORIGINS[name]) == self.held[name]

    @rule(name=members, data=st.data())
    def read(self, name, data):
        log, entries = self.chain.log(name), self.model[name][: self.held[name]]
        leaves = [merkle.leaf_hash(entry) for entry in entries]
        size = data.draw(st.integers(0, len(entries)))
        assert log.root_at(size) == merkle.root_of(leaves[:size])
        assert list(log.entries(size)) == entries[size:]
        filings = [file_entry(entry) for entry in entries]
        for kind in ("inquiry", "evaluation"):
            expected = [index for index, filing in enumerate(filings) if filing.code == {"inquiry": 3}.get(kind, 4)]
            assert list(log.by_kind(kind)) == expected
        labels = [filing.label for filing in filings if filing.label]
        beyond = [file_entry(entry).label for entry in self.model[name][self.held[name] :]]
        assert log.find_many(labels) == [index for index, filing in enumerate(filings) if filing.label]
        assert not any(log.find_many([label for label in beyond if label]))

    @invariant()
    def what_is_held_is_what_was_acknowledged(self):
        for name, held in self.held.items():
            log = self.chain.log(name)
            assert log.size == held
            assert log.head is None or log.head == head_over(self.model[name][: log.head.head.size], SIGNERS[name])

    def teardown(self):
        self.disk.close()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("kind", KINDS)
def test_any_history_of_appends_blocks_and_openings_agrees_with_the_model(kind, tmp_path):
    run_state_machine_as_test(
        lambda: Histories(kind, tmp_path),  # type: ignore[arg-type] # any factory will do
        settings=settings(max_examples=25, stateful_step_count=25),
    )


# -- threads


class Crowd:
    """Threads that repeat their work until told to stop; what fails in one fails the test."""

    def __init__(self, *works: Callable[[], object]) -> None:
        self._done = threading.Event()
        self._failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._repeat, args=[work]) for work in works]

    def _repeat(self, work: Callable[[], object]) -> None:
        try:
            while not self._done.is_set():
                work()
        except BaseException as error:  # noqa: BLE001 -- shown at the end
            self._failures.append(error)

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        assert not self._failures


def test_readers_need_no_lock_and_see_every_state_whole(disk):
    """One thread appends, one applies blocks that are known, two read: nobody sees half of anything."""
    chain = Chain(disk.open(), NAMES, new_lock=threading.Lock)
    own, log, replica = chain.own(SIGNERS["alpha"]), chain.log("alpha"), chain.replica(ORIGINS["alpha"])
    batches = [positions(37) for _ in range(30)]
    own.append(batches[0])
    sizes: set[int] = set()
    rng = Random(1)

    def read() -> None:
        size, head = log.size, log.head
        sizes.add(size)
        assert head is not None
        assert head.head.size >= size
        assert head.head.size % 37 == 0
        index = rng.randrange(size)
        entry = log.entry(index)
        log.receipt(index).verify(entry, log.key)
        assert log.find(file_entry(entry).label or b"") == index
        assert log.root_at(head.head.size) == head.head.root

    def apply() -> None:
        for block in blocks_from(log, max(0, log.size - 50)):
            replica.apply(block)

    with Crowd(read, read, apply):
        for batch in batches[1:]:
            own.append(batch)
    assert len(sizes) > 3
    assert list(log.entries(0)) == [entry for batch in batches for entry in batch]
    assert chain.verify(log.origin) == 37 * 30


def test_pushes_and_pulls_of_one_log_at_once_store_it_once(disk):
    source = Chain(MemoryStore(), NAMES)
    entries = positions(2000)
    source.own(SIGNERS["alpha"]).append(entries)
    chain = Chain(disk.open(), NAMES, new_lock=threading.Lock)
    replica = chain.replica(ORIGINS["alpha"])

    def pull(limit: int) -> None:
        for block in blocks_from(source.log("alpha"), 0, limit=limit):
            replica.apply(block)

    with Crowd(*(partial(pull, limit) for limit in (100, 130, 171))):
        pull(77)
    assert list(chain.log("alpha").entries(0)) == entries
    assert chain.verify(ORIGINS["alpha"]) == 2000
