"""Auditing from scratch: what is stored, every byte hashed again; what a node hands out; and the whole audit."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from plimsoll.v1 import peer_pb2

from client.audit.auditor import Auditor, Scope
from client.audit.reading.digest import digest
from client.audit.reading.follower import Follower
from client.audit.reading.logs import LogId
from client.audit.reading.one_log import OneLog
from client.audit.reading.tally import Ground, Tally
from client.audit.reading.tiles import CHECKPOINT, Tiles
from client.audit.reading.workers import Workers
from ledger.chain import fsck
from ledger.chain.block import blocks_from
from ledger.chain.log import Log
from ledger.chain.log_keys import LogKeys
from ledger.chain.own_log import OwnLog
from ledger.chain.store import Store, prefix_end
from ledger.chain.tree import TILE_WIDTH
from ledger.consortium.history import History
from ledger.consortium.joined import log_name
from ledger.tlog import merkle
from ledger.tlog.tiles import encode_bundle, tiles_of
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
    history = History([stage.cluster.manifest])
    with closing(LevelStore(stage.folder / "audit" / "store")) as store:
        own, count = synthetic.own_log(store), stage.pick(100_000, 10_000)
        stage.say(f"a log of {count} records")
        for _ in synthetic.fill(own, count):
            pass
        laps = alternate(
            {
                "fsck": lambda: lambda: fsck.check_log(store, own.log.keys, own.log.key).size,
                "follow": lambda: _follow(own, history),
                "chain": lambda: lambda: _chain(store, own.log.keys),
            },
            stage.pick(5, 2),
        )
        stage.say("out of a folder of tiles")
        tiles = time_lap(_folder(stage, own, history))
    figures = [
        _figure("everything stored (fsck)", laps["fsck"], laps["chain"]),
        _figure("an auditor's verification of blocks", laps["follow"], laps["chain"]),
    ]
    yardstick = Yardstick(
        "LevelDB scan, SHA-256 chain", rate(laps["chain"]), tiles.rate / rate(laps["chain"]), DESIGN_CHAIN
    )
    cores = os.cpu_count() or 1
    figures.append(Figure(f"a folder of tiles, {cores} cores", tiles.rate, "records/s", _TARGET * cores, [yardstick]))
    return [*figures, _whole(stage, rate(laps["chain"]))]


def _figure(name: str, laps: list[Lap], chain: list[Lap]) -> Figure:
    yardstick = Yardstick("LevelDB scan, SHA-256 chain", rate(chain), paired(laps, chain), DESIGN_CHAIN)
    return Figure(name, rate(laps), "records/s", _TARGET, [yardstick])


def _tally(own: OwnLog, history: History) -> Tally:
    log = LogId(own.log.member, own.log.key, 1)
    return Tally(log, Ground(history, frozenset(), {log.origin: log.key}, random.randrange))


def _follow(own: OwnLog, history: History) -> Callable[[], int]:
    """Blocks as they come from a node, whose work it is to make them, verified and counted as the auditor does."""
    raw = [block.SerializeToString() for block in blocks_from(own.log, 0)]

    def timed() -> int:
        follower, tally = Follower(own.log.key), _tally(own, history)
        for one in raw:
            block = peer_pb2.Block.FromString(one)
            found = digest(block.start, list(block.entries))
            follower.take_hashed(block, found.leaves, found.fit)
            tally.count(found)
        return follower.size

    return timed


def _folder(stage: Stage, own: OwnLog, history: History) -> Callable[[], Callable[[], int]]:
    """A log out of a folder of tiles, by all processes."""
    folder = stage.folder / "audit" / "tiles"
    write_tiles(folder / log_name(own.log.origin), own.log)

    def prepare() -> Callable[[], int]:
        workers = Workers()
        for _ in range(workers.count):  # a process takes half a second to start, which is not what is measured
            workers.submit(digest, 0, []).result()
        log = OneLog(Tiles(folder), LogId(own.log.member, own.log.key, 1), lambda _: _tally(own, history))

        def timed() -> int:
            with workers:
                log.read(own.log.size, lambda *_: None, workers)
            if log.findings:
                raise RuntimeError(f"the audit found: {log.findings}")
            return log.size

        return timed

    return prepare


def write_tiles(folder: Path, log: Log) -> None:
    """A log as static files (C2SP tlog-tiles)."""
    assert log.head is not None, "with entries"
    rows: list[list[bytes]] = [[merkle.leaf_hash(entry) for entry in log.entries(0)]]
    while len(rows[-1]) >= TILE_WIDTH:
        last = rows[-1]
        full = len(last) - len(last) % TILE_WIDTH
        rows.append([merkle.root_of(last[at : at + TILE_WIDTH]) for at in range(0, full, TILE_WIDTH)])
    for tile in tiles_of(log.size):
        start = tile.number * TILE_WIDTH
        stop = start + tile.width
        hashes = b"".join(rows[max(tile.level, 0)][start:stop])
        raw = encode_bundle(list(log.entries(start, stop))) if tile.size is None else hashes
        (folder / tile.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / tile.path).write_bytes(raw)
    (folder / CHECKPOINT).write_bytes(log.head.note.encode())


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
