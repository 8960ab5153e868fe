"""scripts/gain: what is misjudged at which lag, as a table, as JSON and as a chart."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts.reporting_lag import chart
from scripts.reporting_lag.measure import Counts, measure
from scripts.reporting_lag.population import Assumptions, population
from scripts.reporting_lag.views import Reports, When

TODAY = 18.0
LAGS = (1.0, 3.0, 7.0, 12.0, TODAY, 25.0, 35.0, 45.0)
#: Seconds from an append to its being visible at the last member, 99th percentile under load (docs/performance.md).
VISIBLE = 0.2
SHARES = ("misjudged", "recognized", "wrong", "frozen", "withheld")
SECONDS = 86_400


def worlds(lenders: int) -> Iterator[tuple[str, When, bool]]:
    """Name, what is known when, and whether Plimsoll's release rule applies."""
    for days in LAGS:
        yield f"{days:g} days late", Reports.late(days, lenders), False
    yield "Plimsoll, nightly feeds", Reports(1.0, VISIBLE / SECONDS, lenders), True
    yield "Plimsoll, a feed at each change", Reports(0.0, VISIBLE / SECONDS, lenders), True


def _counted(task: tuple[str, When, bool, int, int]) -> tuple[str, Counts]:
    name, when, private, borrowers, seed = task
    return name, measure(population(borrowers, seed, Assumptions()), when, private=private)


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(prog="scripts/gain", description=__doc__, allow_abbrev=False)
    parser.add_argument("--borrowers", type=int, default=2000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="lines of JSON instead of a table")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="write the chart (SVG) here")
    options = parser.parse_args()
    tasks = [(*world, options.borrowers, options.seed) for world in worlds(Assumptions().lenders)]
    console = Console(stderr=True)
    with ProcessPoolExecutor() as pool:
        results = list(track(pool.map(_counted, tasks), "measuring", len(tasks), console=console, transient=True))
    if options.json:
        for name, counts in results:
            print(json.dumps({"world": name, "reviews": counts.reviews, **{s: counts.share(s) for s in SHARES}}))
    else:
        Console().print(_table(results))
    if options.chart:
        options.chart.write_text(chart.drawn(dict(zip(LAGS, (counts for _, counts in results), strict=False)),
                                             results[-2][1], TODAY), encoding="utf-8")  # fmt: skip


def _table(results: list[tuple[str, Counts]]) -> Table:
    made = Table("world", title=f"{results[0][1].reviews:,} reviews", title_justify="left")
    heads = ("debt load misjudged", "many lenders recognized", "wrong outcome", "wrongly frozen", "no sum told")
    for head in heads:
        made.add_column(head, justify="right")
    for name, counts in results:
        made.add_row(name, *(f"{100 * counts.share(share):.1f} %" for share in SHARES))
    return made


if __name__ == "__main__":
    main()
