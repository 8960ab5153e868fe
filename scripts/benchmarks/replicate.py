"""Replicating a log: verify, store, sync, with the label index; in this process, and by a node that was away."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import plyvel
from plimsoll.v1 import peer_pb2

from client.sdk import Session
from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain, LogName
from ledger.chain.own_log import OwnLog
from ledger.chain.replica import Replica
from ledger.homes import home as layout
from ledger.tlog.note import Signer
from node.upkeep.leveldb import LevelStore
from scripts.benchmarks import synthetic
from scripts.benchmarks.figure import Figure, Yardstick
from scripts.benchmarks.heads import size_of
from scripts.benchmarks.measure import Lap, Work, alternate, paired, rate, together
from scripts.benchmarks.stage import Stage
from scripts.benchmarks.wire import RECORDS, Wire, bare_wire
from tests.cluster import Cluster

BLOCK = 1000
#: Blocks a lap.
LAP = 10
#: Records a second where the targets were set.
DESIGN_TREE, DESIGN_STORE, DESIGN_WIRE = 750_000.0, 390_000.0, 600_000.0
_TARGET = 60_000.0
_STEP = 0.02
#: As the store has it.
_BUFFER = 64 << 20


def run(stage: Stage) -> list[Figure]:
    """Blocks of 1,000 into one store, then a node that has to catch up over the wire."""
    folder = stage.folder / "replicate"
    folder.mkdir()
    with bare_wire() as wire:
        stage.say("in this process")
        laps = _in_this_process(stage, folder, wire)
    tree, store, bare = (laps[name] for name in ("tree", "store", "wire"))
    design = together(DESIGN_TREE, DESIGN_STORE)
    all_design = together(DESIGN_TREE, DESIGN_STORE, DESIGN_WIRE)
    floor, all_floor = together(rate(tree), rate(store)), together(rate(tree), rate(store), rate(bare))
    measured = rate(laps["replica"])
    yardsticks = [
        Yardstick("tree, then synced batches", floor, measured / floor, design),
        Yardstick("SHA-256 tree", rate(tree), paired(laps["replica"], tree), DESIGN_TREE),
        Yardstick("synced LevelDB batches", rate(store), paired(laps["replica"], store), DESIGN_STORE),
        Yardstick("gRPC stream, mutual TLS", rate(bare), paired(laps["replica"], bare), DESIGN_WIRE),
    ]
    figures = [Figure("blocks of 1,000 into one replica", measured, "records/s", _TARGET, yardsticks)]
    return figures + _over_the_wire(stage, all_floor, all_design)


def _in_this_process(stage: Stage, folder: Path, wire: Wire) -> dict[str, list[Lap]]:
    rounds, before = stage.pick(10, 3), stage.pick(100, 10)
    with (
        closing(LevelStore(folder / "author")) as author,
        closing(LevelStore(folder / "replica")) as store,
        closing(
            plyvel.DB(str(folder / "bare"), create_if_missing=True, compression=None, write_buffer_size=_BUFFER)
        ) as bare,
    ):
        own = synthetic.own_log(author)
        for _ in synthetic.fill(own, BLOCK * (before + LAP * (rounds + 1))):
            pass
        names = [LogName(own.log.member, own.log.origin, own.log.key)]
        replica = Chain(store, names).replica(own.log.origin)
        blocks = (block.SerializeToString() for block in blocks_from(own.log, 0, limit=BLOCK))
        for _ in range(before):
            replica.apply(peer_pb2.Block.FromString(next(blocks)))
        batches = [synthetic.entries(BLOCK) for _ in range(LAP)]
        return alternate(
            {
                "replica": _applying(replica, blocks),
                "tree": lambda: lambda: sum(map(hash_tree, batches)),
                "store": _writing(bare, batches),
                "wire": lambda: lambda: wire.stream(LAP * BLOCK // RECORDS),
            },
            rounds,
        )


def _applying(replica: Replica, blocks: Iterator[bytes]) -> Work:
    def prepare() -> Callable[[], int]:
        raws = [next(blocks) for _ in range(LAP)]

        def timed() -> int:
            for raw in raws:
                replica.apply(peer_pb2.Block.FromString(raw))
            return LAP * BLOCK

        return timed

    return prepare


def hash_tree(entries: list[bytes]) -> int:
    """RFC 6962 hashes over a batch, as bare as Python has them."""
    sha256 = hashlib.sha256
    row = [sha256(b"\x00" + entry).digest() for entry in entries]
    while len(row) > 1:
        pairs = iter(row)
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
    return len(entries)


def _writing(db: plyvel.DB, batches: list[list[bytes]]) -> Work:
    def timed() -> int:
        for batch in batches:
            prefix = os.urandom(8)
            with db.write_batch(sync=True) as writer:
                for number, entry in enumerate(batch):
                    writer.put(prefix + number.to_bytes(8, "big"), entry)
        return LAP * BLOCK

    return lambda: timed


# -- over the wire


def _over_the_wire(stage: Stage, floor: float, design: float) -> list[Figure]:
    """One lender's log grows while everybody is down; then the others catch up, each with more peers to ask."""
    cluster, count = stage.cluster, stage.pick(50_000, 20_000)
    author, *others = cluster.members
    stage.say(f"adding {count} records to the log of {author}")
    before = cluster.status(author).logs[0].size
    cluster.stop(*cluster.running)
    size = lengthen(stage, author, count)
    cluster.restart(author)
    figures = []
    for peers, member in enumerate(others, 1):
        stage.say(f"{member} catches up from {peers} peers")
        figures.append(_catch_up(stage, member, author, before, size, floor, design, peers))
    cluster.wait_same_heads()
    return figures


def lengthen(stage: Stage, member: str, count: int) -> int:
    """Synthetic records under a lender's own key; how long its log is then."""
    manifest, keyring = stage.cluster.manifest, stage.cluster.keyring(member)
    signer = Signer.from_seed(manifest.origin(member), keyring.log_seed)
    with closing(LevelStore(stage.cluster.home_folder(member) / layout.CHAIN)) as store:
        own: OwnLog = Chain(store, [LogName(member, signer.key.name, signer.key)]).own(signer)
        for _ in synthetic.fill(own, count):
            pass
        return own.size


def _catch_up(
    stage: Stage, member: str, author: str, before: int, size: int, floor: float, design: float, peers: int
) -> Figure:
    cluster, serving = stage.cluster, stage.cluster.running
    started = _start(cluster, member)
    own, theirs = stage.cpu(member), stage.cpu(*serving)
    with Session(cluster.endpoint(member, "operator")) as session:
        while size_of(session.heads(), cluster.manifest.origin(author)) < size:
            time.sleep(_STEP)
    seconds = time.time() - started
    own, theirs = stage.cpu(member) - own, stage.cpu(*serving) - theirs
    cluster.wait_ready(member)
    records = size - before
    measured = records / seconds
    return Figure(
        f"catching up over mutual TLS from {peers} peer{'s' * (peers > 1)}",
        measured,
        "records/s",
        _TARGET,
        [Yardstick("wire, tree, then synced batches", floor, measured / floor, design)],
        {
            "records": records,
            "records per second of its cores": records / max(own, _STEP),
            "cores it used": own / seconds,
            "cores the others used": theirs / seconds,
        },
    )


def _start(cluster: Cluster, member: str) -> float:
    """Until the node has logged that it runs, when its gossip begins; the Unix seconds it logged."""
    with cluster.log_file(member).open() as log:
        log.seek(0, os.SEEK_END)
        cluster.start(member)
        while True:
            line = log.readline()
            if not line.endswith("\n"):
                if cluster.process(member).poll() is not None:
                    raise RuntimeError(f"{member} died:\n{cluster.tail(member)}")
                time.sleep(_STEP / 10)
            elif (event := json.loads(line))["event"] == "started":
                return datetime.fromisoformat(event["timestamp"]).timestamp()
