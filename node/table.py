"""The file of the table of discrete logarithms: built once a machine, shared by every process through the page cache.

`python -m node.table` builds it ahead of time (about half a minute of one core, divided by the cores).
"""

from __future__ import annotations

import argparse
import fcntl
import mmap
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress

from ledger.crypto import dlog
from ledger.errors import InvalidInput, Unready, Unverified
from node.lending.workers import begin

Report = Callable[[int], object]


def default_path(bits: int = dlog.DEFAULT_BITS) -> Path:
    """`$XDG_CACHE_HOME/plimsoll/dlog-21.table`, XDG_CACHE_HOME being `~/.cache` where unset, empty or relative."""
    # The XDG base directory specification has relative paths ignored.
    named = Path(os.environ.get("XDG_CACHE_HOME") or "")
    base = named if named.is_absolute() else Path.home() / ".cache"
    return base / "plimsoll" / f"dlog-{bits}.table"


def load(
    path: Path | None = None,
    *,
    bits: int = dlog.DEFAULT_BITS,
    workers: int | None = None,
    progress: Report | None = None,
) -> dlog.Table:
    """The table at `path` (by default `default_path`), memory-mapped and hash-checked; built first where it is missing
    or rotten.

    Blocks: 0.1 s where it is there, else until it is built, be it by another process. workers: processes to build
    with (default: one a core). progress: is told how many of the 2^bits multiples are done. Raises Unready where
    the file cannot be read, written or locked, or a worker was killed.
    """
    place = path or default_path(bits)
    try:
        if (table := _open(place, bits)) is not None:
            return table
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with _locked(place):
            # Whoever held the lock before may have built it meanwhile.
            if (table := _open(place, bits)) is None:
                _write(place, _build(bits, workers or os.cpu_count() or 1, progress))
                table = _open(place, bits)
    except OSError as error:
        raise Unready("TABLE_UNUSABLE", f"the table of discrete logarithms at {place}: {error.strerror}") from error
    except BrokenProcessPool as error:
        raise Unready("TABLE_UNUSABLE", "a process building the table of discrete logarithms was killed") from error
    if table is None:
        raise Unready("TABLE_UNUSABLE", f"the table of discrete logarithms at {place} does not read back as written")
    return table


def _open(place: Path, bits: int) -> dlog.Table | None:
    """The good table at that place, or None where there is none."""
    try:
        with place.open("rb") as file:
            if os.fstat(file.fileno()).st_size != dlog.table_size(bits):
                return None
            table = dlog.Table(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (FileNotFoundError, InvalidInput, Unverified):
        return None
    return table if table.bits == bits else None


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Holds the lock file beside the table. It stays: removing a lock file would let two processes lock two files."""
    with place.with_name(place.name + ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(bits: int, workers: int, progress: Report | None) -> bytearray:
    if workers == 1:
        return dlog.build(bits, progress=progress)
    starts, counts = zip(*dlog.chunks(bits), strict=True)
    # Spawned, not forked (design, section 10): a fork would copy the locks of gRPC's threads.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=begin) as pool:
        return dlog.build(bits, pool.map(dlog.keys, starts, counts), progress)


def _write(place: Path, content: bytearray) -> None:
    """All of it durably, or nothing: a crash leaves the old file or none."""
    # The lock's holder is the only writer, so one name does, and what a killed one left goes away.
    temporary = place.with_name(place.name + ".part")
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)  # a public constant, for every user of this cache
            os.fsync(file.fileno())
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def main(arguments: list[str] | None = None) -> None:
    """Builds the table where it is missing, with a progress bar, and says where it is."""
    parser = argparse.ArgumentParser(prog="python -m node.table", description="Build the table of discrete logarithms.")
    parser.add_argument("--path", type=Path, help=f"where to put it (default: {default_path()})")
    parser.add_argument("--workers", type=int, help="processes to build with (default: one a core)")
    options = parser.parse_args(arguments)
    place = options.path or default_path()
    with Progress(transient=True) as bar:
        task = bar.add_task("Discrete logarithms", total=1 << dlog.DEFAULT_BITS)
        load(place, workers=options.workers, progress=lambda done: bar.update(task, completed=done))
    print(f"{place}: {dlog.table_size(dlog.DEFAULT_BITS):,} bytes, checked")


if __name__ == "__main__":
    main()
