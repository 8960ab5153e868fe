"""Publishing positions: encrypt, prove, append, fsync; beside the bare libsodium calls that a position needs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context

from client.portfolio import Portfolio
from ledger.chain.own_log import OwnLog
from ledger.consortium.policy import Policy
from ledger.crypto import group
from ledger.positions.bands import Bands
from ledger.positions.position import fold
from ledger.positions.publication import Publication, PublicationTask, publish
from node.upkeep.leveldb import LevelStore
from scripts.benchmarks import synthetic
from scripts.benchmarks.figure import Figure, Yardstick
from scripts.benchmarks.measure import Lap, alternate, paired, rate, time_lap
from scripts.benchmarks.sodium import Calls
from scripts.benchmarks.stage import Stage, feed

#: Positions in a task, as the node hands them out.
TASK = 256
_FIELDS = 7
#: r G, u G, and for every field r X and m G; then their sums.
MULTIPLICATIONS = Calls(base=9, other=7)
ALL_CALLS = Calls(base=9, other=7, additions=7)
#: Positions a second and core where the targets were set: 0.6 ms of bare calls each.
DESIGN_BARE = 1 / 0.0006
_TARGET, _TARGET_RATE = 0.8, 1300.0


def run(stage: Stage) -> list[Figure]:
    """On one core, on all, and through a real node."""
    (stage.folder / "publish").mkdir()
    with closing(LevelStore(stage.folder / "publish" / "store")) as store, _pool() as pool:
        own = synthetic.own_log(store)
        stage.say("in this process")
        figures = _on_one_core(own, stage.pick(16, 3))
        stage.say(f"in {os.cpu_count()} worker processes")
        figures += _on_all_cores(own, pool, stage.pick(8, 2))
        figures += _through_a_node(stage, pool)
    return figures


def _on_one_core(own: OwnLog, rounds: int) -> list[Figure]:
    laps = alternate(
        {
            "publish": lambda: _publishing(own),
            "bare": lambda: lambda: MULTIPLICATIONS.make(TASK),
            "bare and adds": lambda: lambda: ALL_CALLS.make(TASK),
            "encrypt only": _encrypting,
        },
        rounds,
    )
    figures = _against_bare("publish, one core", laps["publish"], laps["bare"], laps["bare and adds"], 1)
    only = Figure("encrypt and prove only, one core", rate(laps["encrypt only"]), "positions/s")
    return [*figures, only]


def _on_all_cores(own: OwnLog, pool: ProcessPoolExecutor, rounds: int) -> list[Figure]:
    cores = os.cpu_count() or 1
    tasks = 4 * cores

    def publishing() -> Callable[[], int]:
        made = [task() for _ in range(tasks)]
        return lambda: sum(_append(own, entries) for entries in pool.map(publish, made))

    laps = alternate(
        {
            "publish": publishing,
            "bare": lambda: lambda: sum(pool.map(MULTIPLICATIONS.make, [TASK] * tasks)),
            "bare and adds": lambda: lambda: sum(pool.map(ALL_CALLS.make, [TASK] * tasks)),
        },
        rounds,
    )
    return _against_bare(f"publish, {cores} cores", laps["publish"], laps["bare"], laps["bare and adds"], cores)


def _through_a_node(stage: Stage, pool: ProcessPoolExecutor) -> list[Figure]:
    """Feeds over the wire into one of five nodes, while the other four replicate on the same cores."""
    cluster, member, count = stage.cluster, stage.cluster.members[0], stage.pick(2048, 300)
    stage.say(f"first feed of {count} borrowers through a real node")
    strangers = count - stage.borrowers
    first = time_lap(lambda: _reporting(stage, member, count))
    figure = Figure(
        "first feed through a node, pseudonym keys included",
        first.rate,
        "positions/s",
        details={"positions": first.items, "strangers": strangers},
    )
    stage.say("monthly feeds through a real node")
    cores = os.cpu_count() or 1
    shares: list[dict[str, float]] = []

    def reporting() -> Callable[[], int]:
        run = _reporting(stage, member, count)

        def timed() -> int:
            before, started = _cpu_by(stage, member), time.perf_counter()
            done = run()
            seconds = time.perf_counter() - started
            shares.append({name: (cpu - before[name]) / seconds for name, cpu in _cpu_by(stage, member).items()})
            return done

        return timed

    def bare() -> int:
        return sum(pool.map(MULTIPLICATIONS.make, [TASK] * 8 * cores))

    laps = alternate({"node": reporting, "bare": lambda: bare}, stage.pick(3, 1), 0)
    cluster.wait_same_heads()
    ratio = paired(laps["node"], laps["bare"])
    yardstick = Yardstick(f"bare calls, {cores} cores", rate(laps["bare"]), ratio, DESIGN_BARE * cores)
    used = {f"cores used by {name}": max(share[name] for share in shares) for name in shares[0]}
    monthly = Figure(
        "monthly feed through a node", rate(laps["node"]), "positions/s", yardsticks=[yardstick], details=used
    )
    return [figure, monthly]


def _reporting(stage: Stage, member: str, count: int) -> Callable[[], int]:
    rows = list(feed(member, count, stage.next_month()))
    return lambda: stage.cluster.report(member, rows).published


def _cpu_by(stage: Stage, member: str) -> dict[str, float]:
    others = [name for name in stage.cluster.running if name != member]
    return {"the node": stage.cpu(member), "the other four": stage.cpu(*others)}


def _against_bare(name: str, laps: list[Lap], bare_laps: list[Lap], with_adds: list[Lap], cores: int) -> list[Figure]:
    ratio = paired(laps, bare_laps)
    yardsticks = [
        Yardstick("bare multiplications", rate(bare_laps), ratio, DESIGN_BARE * cores),
        Yardstick("bare additions too", rate(with_adds), paired(laps, with_adds)),
    ]
    return [
        Figure(name, rate(laps), "positions/s", _TARGET_RATE * cores, yardsticks),
        Figure(f"{name}: of what the bare calls allow", ratio, "share", _TARGET),
    ]


def task() -> PublicationTask:
    """Positions like those of a feed, under new labels."""
    portfolio = Portfolio(lenders=1, borrowers=TASK, as_of=datetime.now(UTC).date())
    bands = Bands.from_major(Policy().bands, Policy().overdue_bands, portfolio.minor_per_major)
    items = []
    for number in range(1, TASK + 1):
        accounts = portfolio.accounts_of(number)
        loans = tuple(account.loan for account in accounts)
        position = fold(loans, bands)
        items.append(Publication(os.urandom(16), accounts[0].borrower, 0, os.urandom(64), loans, position))
    return PublicationTask(
        consortium=os.urandom(32),
        member="bench",
        epoch=1,
        public_keys=tuple(group.mul_base(group.random_scalar(os.urandom)) for _ in range(_FIELDS)),
        time=int(time.time()),
        backup_key=os.urandom(32),
        hedge_secret=os.urandom(32),
        seed=os.urandom(32),
        items=tuple(items),
    )


def _publishing(own: OwnLog) -> Callable[[], int]:
    made = task()
    return lambda: _append(own, publish(made))


def _encrypting() -> Callable[[], int]:
    made = task()
    return lambda: len(publish(made))


def _append(own: OwnLog, entries: list[bytes]) -> int:
    own.append(entries)
    return len(entries)


@contextmanager
def _pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield pool
