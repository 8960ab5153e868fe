"""The store's contract, kept by LevelDB and by its twin in memory."""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from ledger.chain.memory_store import Fault, MemoryStore
from ledger.chain.store import StoreConflict, prefix_end
from ledger.errors import PlimsollError, Unready
from tests.ledger.stores import KINDS, Disk


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(request.param, tmp_path)
    yield disk
    disk.close()


def test_what_was_written_is_read_back_and_stays_when_opened_again(disk):
    disk.open().write([(b"a", b"1"), (b"empty", b""), (b"\x00\xff", bytes(9000))])
    store = disk.open()
    assert store.get_many([b"a", b"nothing", b"empty", b"\x00\xff"]) == [b"1", None, b"", bytes(9000)]
    assert store.get(b"a") == b"1"
    assert store.get(b"nothing") is None


def test_a_write_without_sync_stays_when_the_store_was_closed(disk):
    disk.open().write([(b"a", b"1")], sync=False)
    assert disk.open().get(b"a") == b"1"


def test_none_deletes_and_of_one_key_named_twice_the_last_counts(disk):
    store = disk.open()
    store.write([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    store.write([(b"b", None), (b"never", None), (b"c", b"4"), (b"c", None)])
    assert list(store.scan(b"", b"\xff")) == [(b"a", b"3")]


def test_keys_sort_as_unsigned_bytes(disk):
    store = disk.open()
    keys = [b"\x00", b"\x00\x00", b"\x7f", b"\x80", b"\xfe\xff", b"a", b"aa", b"b"]
    store.write([(key, key[::-1]) for key in keys])
    assert [key for key, _ in store.scan(b"", b"\xff")] == sorted(keys)


def test_a_scan_is_half_open_bounded_and_goes_both_ways(disk):
    store = disk.open()
    store.write([(bytes([n]), b"") for n in range(10)])

    def scanned(*bounds, **options):
        return [key[0] for key, _ in store.scan(*map(bytes, ([bound] for bound in bounds)), **options)]

    assert scanned(2, 5) == [2, 3, 4]
    assert scanned(2, 5, reverse=True) == [4, 3, 2]
    assert scanned(2, 9, limit=2) == [2, 3]
    assert scanned(2, 9, reverse=True, limit=2) == [8, 7]
    assert scanned(2, 9, limit=0) == []
    assert scanned(5, 2) == []
    assert scanned(11, 200) == []


def test_a_scan_sees_one_state(disk):
    store = disk.open()
    store.write([(b"a", b"1"), (b"b", b"1")])
    pairs = store.scan(b"", b"\xff")
    first = next(pairs)
    store.write([(b"b", b"2"), (b"c", b"2")])
    assert [first, *pairs] == [(b"a", b"1"), (b"b", b"1")]


def test_a_half_read_scan_does_not_keep_the_store_open(disk):
    store = disk.open()
    store.write([(b"a", b"1"), (b"b", b"1")])
    pairs = store.scan(b"", b"\xff")
    next(pairs)
    assert disk.open().get(b"a") == b"1"


def test_the_first_pair_under_each_prefix_is_found_in_the_order_asked(disk):
    store = disk.open()
    store.write([(b"b2", b"x"), (b"b1", b"y"), (b"a", b"z"), (b"c\xff", b"w")])
    assert store.first_many([b"c\xff", b"b", b"bb", b"a", b"b"]) == [
        (b"c\xff", b"w"), (b"b1", b"y"), None, (b"a", b"z"), (b"b1", b"y"),
    ]  # fmt: skip
    assert store.first_many([]) == []


@pytest.mark.parametrize(
    ("prefix", "end"), [(b"a", b"b"), (b"a\xff", b"b"), (b"a\xfe\xff\xff", b"a\xff"), (b"\x00", b"\x01")]
)
def test_the_end_of_a_prefix_is_just_above_it(prefix, end):
    assert prefix_end(prefix) == end


def test_compare_and_set_writes_only_on_the_expected_value(disk):
    store = disk.open()
    store.write([(b"head", b"1")], expect=(b"head", None))
    store.write([(b"head", b"2"), (b"x", b"2")], expect=(b"head", b"1"))
    for wrong in (None, b"1", b"", b"22"):
        with pytest.raises(StoreConflict) as caught:
            store.write([(b"head", b"3"), (b"x", b"3"), (b"y", b"3")], expect=(b"head", wrong))
        assert caught.value.reason == "STORE_CONFLICT"
    assert list(store.scan(b"", b"\xff")) == [(b"head", b"2"), (b"x", b"2")]
    store.write([(b"x", b"4")])  # a conflict is no failure


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_threads_that_count_up_one_key_none_loses_a_step(kind, tmp_path):
    store = MemoryStore(lock=threading.Lock()) if kind == "memory" else Disk(kind, tmp_path).open()
    conflicts = itertools.count()

    def count_up() -> None:
        done = 0
        while done < 50:
            held = store.get(b"n")
            try:
                store.write([(b"n", b"%d" % (int(held or 0) + 1))], sync=False, expect=(b"n", held))
                done += 1
            except StoreConflict:
                next(conflicts)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads change places between comparing and writing, if they can
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert store.get(b"n") == b"200"
    store.close()


def test_after_closing_every_call_is_refused(disk):
    store = disk.open()
    store.write([(b"a", b"1")])
    store.close()
    store.close()
    calls = [
        lambda: store.get(b"a"),
        lambda: store.get_many([b"a"]),
        lambda: store.first_many([b"a"]),
        lambda: list(store.scan(b"", b"b")),
        lambda: store.write([(b"a", b"2")]),
    ]
    for call in calls:
        with pytest.raises(Unready) as caught:
            call()
        assert caught.value.reason == "STORE_CLOSED"


class Model(RuleBasedStateMachine):
    """Any sequence of writes and openings against a plain dictionary."""

    keys = st.binary(min_size=1, max_size=3)
    bounds = st.binary(max_size=3)

    def __init__(self, kind: str, base: Path) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=base))
        self.disk = Disk(kind, self.folder)
        self.store = self.disk.open()
        self.model: dict[bytes, bytes] = {}

    @rule(puts=st.lists(st.tuples(keys, st.none() | st.binary(max_size=3)), max_size=100), sync=st.booleans())
    def write(self, puts, sync):
        self.store.write(puts, sync=sync)
        for key, value in puts:
            self.model.pop(key, None)
            if value is not None:
                self.model[key] = value

    @rule(key=keys, expected=st.none() | st.binary(max_size=1), value=st.binary(max_size=1))
    def compare_and_set(self, key, expected, value):
        try:
            self.store.write([(key, value)], expect=(key, expected))
        except StoreConflict:
            assert self.model.get(key) != expected
        else:
            assert self.model.get(key) == expected
            self.model[key] = value

    @rule()
    def open_again(self):
        self.store = self.disk.open()

    @rule(start=bounds, stop=bounds, reverse=st.booleans(), limit=st.none() | st.integers(0, 5))
    def scan(self, start, stop, reverse, limit):
        expected = sorted((pair for pair in self.model.items() if start <= pair[0] < stop), reverse=reverse)
        assert list(self.store.scan(start, stop, reverse=reverse, limit=limit)) == expected[:limit]

    @rule(wanted=st.lists(keys, max_size=5))
    def read(self, wanted):
        assert self.store.get_many(wanted) == [self.model.get(key) for key in wanted]
        prefixes = [key for key in wanted if key.strip(b"\xff")]
        firsts = [min((p for p in self.model.items() if p[0].startswith(prefix)), default=None) for prefix in prefixes]
        assert self.store.first_many(prefixes) == firsts

    def teardown(self):
        self.disk.close()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("kind", KINDS)
def test_any_sequence_of_writes_agrees_with_a_dictionary(kind, tmp_path):
    run_state_machine_as_test(
        lambda: Model(kind, tmp_path),  # type: ignore[arg-type] # any factory will do
        settings=settings(max_examples=30, stateful_step_count=20),
    )


@pytest.mark.parametrize(("fault", "kept"), [(Fault.LOST, None), (Fault.KEPT, b"2")])
def test_the_memory_store_fails_as_told_and_goes_on(fault, kept):
    store = MemoryStore(faults={1: fault})
    store.write([(b"a", b"1")])
    with pytest.raises(PlimsollError) as caught:
        store.write([(b"b", b"2")])
    assert caught.value.reason == "STORE_FAILED"
    assert store.get(b"b") == kept
    store.write([(b"c", b"3")])
    assert store.get(b"c") == b"3"
    assert store.writes == 3
