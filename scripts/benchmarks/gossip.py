"""How long an entry takes from one node to the last of five."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from plimsoll.v1 import lender_pb2

from client.sdk import Session
from scripts.benchmarks.figure import Figure
from scripts.benchmarks.load import feeds
from scripts.benchmarks.measure import quantile, spread
from scripts.benchmarks.stage import Stage, feed
from scripts.benchmarks.watch import Delay, Watch, watching

_MS = 1000.0
#: Positions, and seconds from one such feed to the next: 1,000 a second, in two tasks for two cores.
_FEED, _EVERY = 512, 0.512
_WARM_UP = 5


def run(stage: Stage) -> list[Figure]:
    """Idle: single entries. Loaded: a lender publishes 1,000 positions a second."""
    return asyncio.run(_run(stage))


async def _run(stage: Stage) -> list[Figure]:
    cluster = stage.cluster
    author, loader = cluster.members[:2]
    await asyncio.to_thread(stage.settle)
    async with watching(cluster) as watch:
        stage.say("single entries")
        idle = await _idle(stage, watch, author)
        stage.say(f"{_FEED / _EVERY:.0f} positions a second")
        with feeds(cluster.endpoint(loader, "lender"), min(_FEED, stage.borrowers), _EVERY) as load:
            loaded = await _loaded(watch, cluster.manifest.origin(loader), loader, stage.pick(20, 4))
            positions = load.rate
    return [
        _figure("idle", "p95", 0.95, 50.0, idle, {}),
        _figure("under load", "p99", 0.99, 200.0, loaded, {"positions a second": positions}),
    ]


def _figure(
    name: str, label: str, share: float, target: float, delays: list[Delay], details: Mapping[str, float]
) -> Figure:
    longest = [_MS * each.longest for each in delays]
    facts = {
        **spread(longest),
        "resolution": _MS * sum(each.uncertain for each in delays) / len(delays),
        f"{label} at least": quantile([_MS * (each.longest - each.uncertain) for each in delays], share),
        **details,
    }
    return Figure(f"{name}: to the last of five, {label}", quantile(longest, share), "ms", target, details=facts)


async def _idle(stage: Stage, watch: Watch, author: str) -> list[Delay]:
    """One changed loan at a time, some time apart."""
    origin, session = stage.cluster.manifest.origin(author), stage.cluster.lender(author)
    rows = list(feed(author, stage.borrowers))
    delays: list[Delay | None] = []
    for number in range(_WARM_UP + stage.pick(60, 12)):
        row = rows[number]
        row.outstanding += 1_000_000
        with watch.looking(origin):
            await watch.wait_for(1)
            size = await asyncio.to_thread(_publish, session, row)
            await watch.wait_for(size)
            delays.append(watch.delay(author, size))
        await asyncio.sleep(0.2 + 0.01 * (number % 7))  # not in step with anything that goes by the clock
    return [each for each in delays[_WARM_UP:] if each is not None]


def _publish(session: Session, row: lender_pb2.FeedRow) -> int:
    *_, last = session.report([[row]])
    return last.summary.log_size


async def _loaded(watch: Watch, origin: str, author: str, seconds: float) -> list[Delay]:
    """Every size of the growing log that its author told of."""
    with watch.looking(origin):
        await asyncio.sleep(seconds)
        last = watch.sightings[author].size
        await watch.wait_for(last)
    sizes = sorted({size for _, _, size in watch.sightings[author].seen if size <= last})[1:]
    delays = (watch.delay(author, size) for size in sizes)
    return [each for each in delays if each is not None]
