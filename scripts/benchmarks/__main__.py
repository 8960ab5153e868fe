"""scripts/bench [names] [--quick]: runs benchmarks; JSON on standard output or in a file, tables on standard error."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from scripts.benchmarks import machine
from scripts.benchmarks.figure import Figure, show
from scripts.benchmarks.stage import Stage

#: In an order in which each leaves the nodes fit for the next.
NAMES = ("receipt", "publish", "query", "screen", "gossip", "replicate", "audit", "memory")
#: Takes a million records and minutes, so it runs only when named, or with --full.
LONG = "memory"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what is asked for; the exit code."""
    options = _parser().parse_args(arguments)
    names = [name for name in NAMES if name in (options.names or NAMES)]
    if not options.names and not options.full:
        names.remove(LONG)
    with tempfile.TemporaryDirectory(prefix="plimsoll-bench-", dir=options.dir) as folder:
        result = _run(Path(folder), names, quick=options.quick)
    text = json.dumps(result, indent=2) + "\n"
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.write_text(text)
    return 0


def _run(folder: Path, names: Sequence[str], *, quick: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"machine": machine.describe(folder), "fsync": True, "quick": quick, "benchmarks": {}}
    with Stage(folder, quick=quick) as stage:
        stage.say(f"{result['machine']}; every write is synced")
        for name in names:
            stage.console.print(f"[bold]{name}")
            started, load = time.monotonic(), os.getloadavg()[0]
            work: Callable[[Stage], list[Figure]] = import_module(f"scripts.benchmarks.{name}").run
            figures = work(stage)
            show(stage.console, name, figures)
            result["benchmarks"][name] = {
                "figures": [figure.facts() for figure in figures],
                "load_before": round(load, 2),
                "seconds": round(time.monotonic() - started, 1),
            }
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures Plimsoll; see docs/performance.md.")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="name", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="small and coarse: whether it runs, not how fast")
    parser.add_argument("--full", action="store_true", help=f"with {LONG}, which takes minutes")
    parser.add_argument("--dir", type=Path, help="on the disk to be measured; the system's temporary folder otherwise")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where the JSON goes, if not to standard output"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
