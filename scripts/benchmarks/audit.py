"""Auditing from scratch: what is stored, every byte hashed again; what a node hands out; and the whole audit."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from contextlib import closing

from client.audit.auditor import Auditor, Scope
from client.audit.follower import Follower
from client.audit.tally import Tally
from ledger import fsck
from ledger.block import blocks_from
from ledger.log_keys import LogKeys
from ledger.own_log import OwnLog
from ledger.store import Store, prefix_end
from node.upkeep.leveldb import LevelStore
from scripts.benchmarks import synthetic
from scripts.benchmarks.figure import Figure, Yardstick
from scripts.benchmarks.measure import Lap, alternate, paired, rate, time_lap
from scripts.benchmarks.stage import Stage

#: Records a second where the targets were set.
DESIGN_CHAIN = 490_000.0
_TARGET = 300_000.0


def run(stage: Stage) -> list[Figure]:
    """In this process on one log, then through a node."""
    (stage.folder / "audit").mkdir()
    with closing(LevelStore(stage.folder / "audit" / "store")) as store:
        own, count = synthetic.own_log(store), stage.pick(100_000, 10_000)
        stage.say(f"a log of {count} records")
        for _ in synthetic.fill(own, count):
            pass
        laps = alternate(
            {
                "fsck": lambda: lambda: fsck.check_log(store, own.log.keys, own.log.key).size,
                "follow": lambda: lambda: _follow(own),
                "chain": lambda: lambda: _chain(store, own.log.keys),
            },
            stage.pick(5, 2),
        )
    figures = [
        _figure("everything stored (fsck)", laps["fsck"], laps["chain"]),
        _figure("an auditor's verification of blocks", laps["follow"], laps["chain"]),
    ]
    return [*figures, _whole(stage, rate(laps["chain"]))]


def _figure(name: str, laps: list[Lap], chain: list[Lap]) -> Figure:
    yardstick = Yardstick("LevelDB scan, SHA-256 chain", rate(chain), paired(laps, chain), DESIGN_CHAIN)
    return Figure(name, rate(laps), "records/s", _TARGET, [yardstick])


def _follow(own: OwnLog) -> int:
    """Blocks as a node makes them, verified and counted as the auditor does."""
    follower, tally = Follower(own.log.key), Tally(own.log.member, keep_labels=False)
    for block in blocks_from(own.log, 0):
        tally.count(follower.take(block))
    return follower.size


def _chain(store: Store, keys: LogKeys) -> int:
    """Every entry into one chain of hashes."""
    sha256, last, count = hashlib.sha256, b"", 0
    for _, entry in store.scan(keys.entries, prefix_end(keys.entries)):
        last = sha256(last + entry).digest()
        count += 1
    return count


def _whole(stage: Stage, chain: float) -> Figure:
    """`plimsoll audit run` without its command line: all five logs through one node, everybody's heads compared."""
    cluster = stage.cluster
    stage.say("through a node")
    before = stage.cpu(cluster.members[0])

    def prepare() -> Callable[[], int]:
        auditor = Auditor(cluster.session(cluster.members[0], "auditor"), Scope(random.randrange), lambda *_: None)

        def timed() -> int:
            report = auditor.run()
            if report.verdict != "ok":
                raise RuntimeError(f"the audit found: {report.findings}")
            return sum(log.head.size for log in report.logs)

        return timed

    lap = time_lap(prepare)
    details = {"records": lap.items, "cores the node used": (stage.cpu(cluster.members[0]) - before) / lap.wall}
    yardstick = Yardstick("LevelDB scan, SHA-256 chain", chain, lap.rate / chain, DESIGN_CHAIN)
    return Figure("a whole audit through a node", lap.rate, "records/s", _TARGET, [yardstick], details)
