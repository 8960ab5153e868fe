"""The watch over the disk's room: it says once what has changed, and mends what can be mended."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import plyvel
import pytest
import structlog

from ledger.errors import Unready
from node.upkeep.disk import Disk
from node.upkeep.leveldb import MIB, LevelStore


@pytest.fixture
def store(tmp_path: Path):
    made = LevelStore(tmp_path, reserve_mib=10)
    yield made
    made.close()


def test_it_says_when_the_disk_is_full_and_when_there_is_room_again(store, monkeypatch) -> None:
    disk = Disk([store], 10 * MIB)
    with structlog.testing.capture_logs() as logs:
        for free in (11, 9, 8, 10, 10):
            monkeypatch.setattr(store, "free_bytes", lambda free=free: free * MIB)
            disk.look()
            assert disk.is_full is (free < 10)
    assert [(each["log_level"], each.get("reason")) for each in logs] == [("error", "DISK_FULL"), ("info", None)]


def test_it_says_when_a_write_is_not_done_and_when_it_is(store, monkeypatch) -> None:
    done, begun = threading.Event(), threading.Event()

    class Waiting:
        """A batch that a disk takes when it pleases."""

        def put(self, key: bytes, value: bytes) -> None:
            """As if."""

        delete = put

        def write(self) -> None:
            begun.set()
            assert done.wait(10)

    monkeypatch.setattr(store, "_db", SimpleNamespace(write_batch=lambda sync: Waiting(), close=store._db.close))
    monkeypatch.setattr("node.upkeep.disk.PATIENCE", 0.2)
    disk = Disk([store], 0)
    writing = threading.Thread(target=store.write, args=([(b"a", b"1")],))
    writing.start()
    with structlog.testing.capture_logs() as logs:
        assert begun.wait(10)
        disk.look()
        assert disk.alerts == []
        time.sleep(0.3)
        disk.look()
        assert list(disk.problems) == ["DISK_STALLED"]
        assert not disk.is_full
        done.set()
        writing.join()
        assert store.waiting == 0
        disk.look()
    assert disk.alerts == []
    assert [(each["log_level"], each.get("reason")) for each in logs] == [("error", "DISK_STALLED"), ("info", None)]


class Batch:
    """One that LevelDB does not write, for this reason."""

    def __init__(self, why: str) -> None:
        self._why = why

    def put(self, key: bytes, value: bytes) -> None:
        """As if."""

    delete = put

    def write(self) -> None:
        """Fails."""
        raise plyvel.IOError(self._why.encode())


@pytest.mark.parametrize(
    ("why", "reason", "mended"),
    [("x.log: No space left on device", "DISK_FULL", True), ("x.log: Input/output error", "STORE_FAILED", False)],
)
def test_a_store_that_failed_for_want_of_room_is_mended_and_no_other(store, monkeypatch, why, reason, mended) -> None:
    store.write([(b"a", b"1")])
    disk = Disk([store], 0)

    class Failing:
        """The database, but for its writes."""

        def __init__(self, real) -> None:
            self._real = real

        def __getattr__(self, name):
            return getattr(self._real, name)

        def write_batch(self, **_):
            return Batch(why)

    monkeypatch.setattr(store, "_db", Failing(store._db))
    with pytest.raises(Unready) as caught:
        store.write([(b"b", b"2")])
    assert caught.value.reason == reason
    assert store.get(b"a") == b"1"
    disk.look()
    assert disk.problems.keys() == (set() if mended else {"STORE_FAILED"})
    if mended:
        store.write([(b"b", b"2")])
    else:
        with pytest.raises(Unready):
            store.write([(b"b", b"2")])
    assert store.get(b"b") == (b"2" if mended else None)
