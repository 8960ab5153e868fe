"""The machine a figure was taken on, and the seconds that other processes spend on its cores."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from scripts.benchmarks.measure import quantile

_TICKS = os.sysconf("SC_CLK_TCK")


def describe(folder: Path) -> dict[str, Any]:
    """Cores, Python, load now, and how long the disk under `folder` takes to make 1 KB durable."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
        "fsync_ms": round(1000 * quantile(_syncs(folder), 0.5), 2),
    }


def cpu_seconds(groups: Iterable[int]) -> float:
    """Seconds of cores that the processes of these process groups, as far as they still run, have used."""
    wanted, total = set(groups), 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                # The name, in brackets, may hold blanks.
                numbers = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(numbers[2]) in wanted:
                    total += int(numbers[11]) + int(numbers[12])
    return total / _TICKS


def _syncs(folder: Path) -> list[float]:
    path, seconds = folder / "sync", []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for _ in range(50):
            started = time.perf_counter()
            os.write(descriptor, bytes(1000))
            os.fdatasync(descriptor)
            seconds.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)
        path.unlink()
    return seconds


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
