"""LevelDB where it differs from a dictionary: one process, full disks, damaged files, power cuts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from ledger.errors import PlimsollError, Unready, Unverified
from node.upkeep.leveldb import LevelStore

ROOT = Path(__file__).resolve().parents[3]


def python(code: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]


def test_a_second_process_is_told_that_the_store_is_in_use(tmp_path):
    store = LevelStore(tmp_path / "store")
    code = """
        import sys, pathlib
        from ledger.errors import PlimsollError
        from node.upkeep.leveldb import LevelStore
        try:
            LevelStore(pathlib.Path(sys.argv[1]))
        except PlimsollError as error:
            print(type(error).__name__, error.reason)
    """
    done = subprocess.run(python(code, tmp_path / "store"), cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "Unready STORE_IN_USE\n"
    with pytest.raises(Unready) as caught:  # nor can this one have it twice
        LevelStore(tmp_path / "store")
    assert caught.value.reason == "STORE_IN_USE"
    store.close()
    LevelStore(tmp_path / "store").close()


@pytest.mark.parametrize("place", ["missing/store", "a file"])
def test_a_place_that_cannot_hold_a_store_is_refused(place, tmp_path):
    (tmp_path / "a file").write_bytes(b"")
    with pytest.raises(Unready) as caught:
        LevelStore(tmp_path / place)
    assert caught.value.reason == "STORE_FAILED"


def flip(path: Path, position: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[position] ^= 1
    path.write_bytes(raw)


def test_a_damaged_write_ahead_log_is_an_error_and_not_a_shorter_history(tmp_path):
    store = LevelStore(tmp_path)
    for number in range(4):
        store.write([(b"%d" % number, bytes(1000))])
    store.close()
    (log,) = tmp_path.glob("*.log")
    flip(log, 1500)
    with pytest.raises(Unverified) as caught:
        LevelStore(tmp_path)
    assert caught.value.reason == "STORE_CORRUPT"


def test_a_write_ahead_log_that_ends_in_half_a_record_loses_that_record_only(tmp_path):
    store = LevelStore(tmp_path)
    for number in range(4):
        store.write([(b"%d" % number, bytes(1000))])
    store.close()
    (log,) = tmp_path.glob("*.log")
    with log.open("r+b") as file:
        file.truncate(3500)
    store = LevelStore(tmp_path)
    assert [key for key, _ in store.scan(b"", b"\xff")] == [b"0", b"1", b"2"]
    store.close()


def test_a_rotten_table_is_refused_by_every_way_of_reading(tmp_path):
    store = LevelStore(tmp_path)
    store.write([(b"%04d" % number, os.urandom(100)) for number in range(1000)])
    store.close()
    LevelStore(tmp_path).close()  # recovery turns the write-ahead log into a table
    (table,) = tmp_path.glob("*.ldb")
    for position in range(200, 90_000, 2000):
        flip(table, position)
    store = LevelStore(tmp_path)
    reads = [
        lambda: store.get_many([b"%04d" % number for number in range(1000)]),
        lambda: list(store.scan(b"", b"\xff")),
        lambda: list(store.scan(b"", b"\xff", reverse=True)),
        lambda: [store.get(b"%04d" % number) for number in range(1000)],
        lambda: store.first_many([b"%03d" % number for number in range(100)]),
    ]
    for read in reads:
        with pytest.raises(Unverified) as caught:
            read()
        assert caught.value.reason == "STORE_CORRUPT"
    store.close()


FILL = """
    import sys, pathlib
    from ledger.errors import PlimsollError
    from node.upkeep.leveldb import LevelStore
    folder = pathlib.Path(sys.argv[1])
    store = LevelStore(folder)
    written = 0
    try:
        while True:
            store.write([(b"%08d" % written, b"x" * 10_000)])
            written += 1
    except PlimsollError as error:
        print(written, type(error).__name__, error.reason)
    assert store.get(b"%08d" % (written - 1)) is not None
    try:
        store.write([(b"behind", b"")])
    except PlimsollError as error:
        print(type(error).__name__, error.reason)
    resting = store.scan(b"", b"x")
    next(resting)
    for path in folder.parent.glob("ballast*"):
        path.unlink()
    store.write([(b"%08d" % 99_999_999, b"")])
    held = sum(1 for _ in store.scan(b"", b"x"))
    assert written <= held - 1 <= written + 1, (written, held)
    try:
        list(resting)
    except PlimsollError as error:
        print(type(error).__name__, error.reason)
    store.close()
    store = LevelStore(folder)
    assert held == sum(1 for _ in store.scan(b"", b"x"))
    print("goes on")
"""


@pytest.mark.faults
def test_a_full_disk_refuses_writes_until_there_is_room_and_loses_nothing_acknowledged(tmp_path):
    script = """
        mkdir disk && mount -t tmpfs -o size=6m tmpfs disk && cd disk && head -c 4000000 /dev/zero > ballast &&
        exec "$0" -c "$1" store
    """
    command = ["unshare", "-rm", "sh", "-c", script, sys.executable, textwrap.dedent(FILL)]
    allowed = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0
    if not allowed:
        pytest.skip("may not mount a small file system here")
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.endswith("Unready DISK_FULL")
    assert int(first.split()[0]) > 10
    assert rest == ["Unready DISK_FULL", "Unready STORE_REOPENED", "goes on"]


def test_nothing_is_written_below_the_reserve_and_reading_goes_on(tmp_path, monkeypatch):
    store = LevelStore(tmp_path, reserve_mib=10)
    store.write([(b"before", b"1")])
    for free, taken in ((10 << 20, True), ((10 << 20) - 1, False), (11 << 20, True)):
        monkeypatch.setattr(store, "free_bytes", lambda free=free: free)
        if taken:
            store.write([(b"%d" % free, b"")])
        else:
            with pytest.raises(Unready) as caught:
                store.write([(b"%d" % free, b"")])
            assert caught.value.reason == "DISK_FULL"
    assert [key for key, _ in store.scan(b"", b"\xff")] == [b"10485760", b"11534336", b"before"]
    store.close()


def test_a_store_is_not_closed_under_threads_that_read_it(tmp_path):
    store = LevelStore(tmp_path)
    store.write([(b"%04d" % number, bytes(100)) for number in range(5000)])
    ends = []

    def read():
        try:
            while True:
                assert len(list(store.scan(b"", b"\xff"))) == 5000
                assert None not in store.get_many([b"%04d" % number for number in range(500)])
        except PlimsollError as error:
            ends.append(error.reason)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    store.close()
    for thread in threads:
        thread.join()
    assert ends == ["STORE_CLOSED"] * 4


@pytest.mark.faults
def test_a_killed_process_loses_nothing_that_was_acknowledged(tmp_path):
    code = """
        import sys, pathlib
        from node.upkeep.leveldb import LevelStore
        store = LevelStore(pathlib.Path(sys.argv[1]))
        number = 0
        while True:
            store.write([(b"%08d" % (number + part), bytes(1000)) for part in range(5)])
            number += 5
            print(number, flush=True)
    """
    with subprocess.Popen(python(code, tmp_path / "store"), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    acknowledged = int([line for line in lines if line.endswith("\n")][-1])
    store = LevelStore(tmp_path / "store")
    held = [int(key) for key, _ in store.scan(b"", b"\xff")]
    assert held == list(range(len(held)))
    assert len(held) >= acknowledged
    assert len(held) % 5 == 0  # all of a write or none
    store.close()


def test_an_error_says_nothing_of_what_is_stored(tmp_path):
    store = LevelStore(tmp_path)
    store.write([(b"secret key", b"secret value")])
    store.close()
    with pytest.raises(PlimsollError) as caught:
        store.get(b"secret key")
    assert "secret" not in str(caught.value)
