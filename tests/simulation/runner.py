"""Many seeds, one after the other or on several cores: what `scripts/simulate` does.

Prints how it goes, and of each seed that fails what broke, what happened before, and the command that shows it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.simulation.plan import Event, Plan
from tests.simulation.scale import Scale, measure
from tests.simulation.scenario import draw
from tests.simulation.shrink import shrunk
from tests.simulation.world import Outcome, play


def simulate(seeds: Iterable[tuple[int, int | None]], jobs: int) -> Iterator[Outcome]:
    """The worlds of these seeds (and numbers of members, where given), as they are done."""
    if jobs == 1:
        yield from map(_one, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(_one, seeds, chunksize=4)


def _one(chosen: tuple[int, int | None]) -> Outcome:
    seed, members = chosen
    return play(draw(seed, members))


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 where every seed held, 1 otherwise."""
    options = _options(arguments)
    console = Console(soft_wrap=True)
    if options.scale:
        _show_scale(console, measure(options.scale))
        return 0
    if options.seed is not None:
        return _show_one(console, draw(options.seed, options.members), options.shrink)
    started, counts, failed, done = time.perf_counter(), Counter[str](), 0, 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("seeds", total=options.seeds)
        seeds = ((seed, options.members) for seed in range(options.start, options.start + options.seeds))
        for outcome in simulate(seeds, options.jobs):
            progress.advance(task)
            done += 1
            if not console.is_terminal and done % 100 == 0:
                console.print(f"{done} seeds, {failed} failed")
            counts.update(outcome.counts)
            if not outcome.ok:
                failed += 1
                _show_failure(progress.console, outcome, options.members)
    took = time.perf_counter() - started
    _show_counts(console, counts)
    console.print(
        f"{options.seeds} seeds, {failed} failed, {took:.0f} s, {60 * options.seeds / took:.0f} seeds a minute",
        style="red" if failed else "green",
    )
    return 1 if failed else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="how many")
    parser.add_argument("--from", type=int, default=0, metavar="SEED", dest="start", help="the first")
    parser.add_argument("--members", type=int, metavar="N", help="instead of the number that a seed would have")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--seed", type=int, help="one alone, with the whole tail of its trace")
    parser.add_argument("--shrink", action="store_true", help="with --seed: looks for a smaller plan that fails too")
    parser.add_argument("--scale", type=int, metavar="MEMBERS", help="how long so many members take to agree")
    return parser.parse_args(arguments)


def _show_one(console: Console, plan: Plan, shrink: bool) -> int:
    outcome = play(plan)
    for line in outcome.tail:
        console.print(line, markup=False, highlight=False)
    if shrink and not outcome.ok:
        plan = shrunk(plan, lambda smaller: not play(smaller).ok)
        outcome = play(plan)
    _show_plan(console, plan)
    _show_counts(console, Counter(outcome.counts))
    for violation in outcome.violations:
        console.print(violation, style="red", markup=False)
    console.print(f"digest {outcome.digest}", highlight=False)
    return 0 if outcome.ok else 1


def _show_plan(console: Console, plan: Plan) -> None:
    villain = f", {plan.culprit} is a {plan.villain}" if plan.villain else ""
    console.print(f"seed {plan.seed}: {plan.members} members, {plan.seconds:.0f} s{villain}, ceremony {plan.ceremony}")
    for event in plan.events:
        console.print(f"  {_brief(event)}", markup=False, highlight=False)


def _brief(event: Event) -> str:
    return repr(event)


def _show_failure(console: Console, outcome: Outcome, members: int | None) -> None:
    plan = outcome.plan
    console.rule(f"seed {plan.seed} fails", style="red")
    for line in outcome.tail:
        console.print(line, markup=False, highlight=False)
    for violation in outcome.violations[:3]:
        console.print(violation, style="red", markup=False)
    size = "" if members is None else f" --members {members}"
    console.print(f"again: scripts/simulate --seed {plan.seed}{size}", style="bold")


def _show_counts(console: Console, counts: Counter[str]) -> None:
    console.print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())), highlight=False)


def _show_scale(console: Console, scale: Scale) -> None:
    console.print(
        f"{scale.members} members: all agree {scale.first:.2f} s after {scale.entries} entries each, "
        f"{scale.one:.2f} s after one entry of one of them (virtual time); "
        f"{scale.bytes_each / 1e6:.2f} MB a member for the first, {scale.idle_each / 1e3:.1f} kB/s a member when idle: "
        + ", ".join(f"{call} {size / 1e3:.1f}" for call, size in sorted(scale.idle_of.items()))
    )


if __name__ == "__main__":
    raise SystemExit(main())
