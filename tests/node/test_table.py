"""The table's file: built once, hash-checked, rebuilt when rotten, never half there."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import stat
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ledger.crypto import dlog, group
from ledger.errors import Unready
from node import table

BITS = 12
ROOT = Path(__file__).parents[2]
POINT = group.mul_base(group.scalar_from_int(123_456))


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a table was built."""
    counted: list[int] = []
    build = dlog.build

    def counting(bits: int, *rest: Any, **named: Any) -> bytearray:
        counted.append(bits)
        return build(bits, *rest, **named)

    monkeypatch.setattr(dlog, "build", counting)
    return counted


def load(path: Path, **named: Any) -> dlog.Table:
    return table.load(path, bits=BITS, workers=1, **named)


def test_a_missing_table_is_built_with_its_folders_and_then_reused(tmp_path: Path, builds: list[int]) -> None:
    path = tmp_path / "a" / "b" / "dlog.table"
    told: list[int] = []
    assert load(path, progress=told.append).find(POINT, 2**20) == 123_456
    assert load(path).find(POINT, 2**20) == 123_456
    assert builds == [BITS]
    assert told == [1 << BITS]
    assert path.read_bytes() == dlog.build(BITS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert sorted(each.name for each in path.parent.iterdir()) == ["dlog.table", "dlog.table.lock"]


def test_spawned_processes_build_the_same_table(tmp_path: Path) -> None:
    path = tmp_path / "dlog.table"
    table.load(path, bits=16, workers=2)
    assert table.load(path, bits=16).bits == 16  # its hash has been checked


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "other"])
def test_a_rotten_table_is_built_again(tmp_path: Path, builds: list[int], damage: str) -> None:
    path = tmp_path / "dlog.table"
    load(path)
    raw = bytearray(path.read_bytes())
    raw[5000] ^= 1
    other = bytes(dlog.build(8))
    path.write_bytes({"flipped": bytes(raw), "cut": bytes(raw[:-8]), "empty": b"", "other": other}[damage])
    builds.clear()
    assert load(path).find(POINT, 2**20) == 123_456
    assert builds == [BITS]


def test_a_process_that_still_has_the_old_file_mapped_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "dlog.table"
    first = load(path)
    path.unlink()
    load(path)
    assert first.find(POINT, 2**20) == 123_456


def test_what_a_killed_builder_left_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "dlog.table"
    (tmp_path / "dlog.table.part").write_bytes(b"half")
    load(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dlog.table", "dlog.table.lock"]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unready) as caught:
        load(tmp_path / "dlog.table")
    assert "No space left" in caught.value.message
    assert [each.name for each in tmp_path.iterdir()] == ["dlog.table.lock"]


def test_a_place_that_cannot_be_written_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unready) as caught:
        load(tmp_path / "file" / "dlog.table")
    assert caught.value.reason == "TABLE_UNUSABLE"


def test_a_killed_worker_is_reported_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> NoReturn:
        raise BrokenProcessPool

    monkeypatch.setattr(table, "_build", broken)
    with pytest.raises(Unready) as caught:
        load(tmp_path / "dlog.table")
    assert caught.value.reason == "TABLE_UNUSABLE"
    assert [each.name for each in tmp_path.iterdir()] == ["dlog.table.lock"]


def _load_in_process(path: Path) -> tuple[int, bool]:
    """(a value found, whether this process built the table)."""
    told: list[int] = []
    found = load(path, progress=told.append).find(POINT, 2**20)
    assert found is not None
    return found, bool(told)


def test_processes_that_start_at_once_build_it_once(tmp_path: Path) -> None:
    path = tmp_path / "dlog.table"
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(_load_in_process, [path] * 3))
    assert [found for found, _ in results] == [123_456] * 3
    assert [built for _, built in results].count(True) == 1


def test_a_process_waits_for_the_one_that_is_building_and_uses_what_it_built(tmp_path: Path, builds: list[int]) -> None:
    path = tmp_path / "dlog.table"
    with (tmp_path / "dlog.table.lock").open("ab") as lock, ThreadPoolExecutor(1) as threads:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = threads.submit(load, path)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.3)
        path.write_bytes(dlog.build(BITS))
        builds.clear()
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert waiting.result(timeout=30).find(POINT, 2**20) == 123_456
    assert builds == []


@pytest.mark.parametrize("cache", [None, "", "relative/path"])
def test_the_default_place_is_the_users_cache(
    cache: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if cache is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
    assert table.default_path() == tmp_path / ".cache" / "plimsoll" / "dlog-21.table"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert table.default_path() == tmp_path / "cache" / "plimsoll" / "dlog-21.table"


@pytest.mark.slow
@pytest.mark.timeout(600)  # half a minute of one core, on a busy machine
def test_the_command_builds_the_table_that_nodes_use(tmp_path: Path) -> None:
    path = tmp_path / "dlog-21.table"
    command = [sys.executable, "-m", "node.table", "--path", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith(f"{path}: 33,554,496 bytes, checked")
    assert table.load(path).find(group.mul_base(group.scalar_from_int(2**30 + 5)), 2**36) == 2**30 + 5
