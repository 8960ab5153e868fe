"""What a node with many records keeps in memory: right after its start, and after it has replicated them."""

from __future__ import annotations

from scripts.benchmarks.figure import Figure
from scripts.benchmarks.replicate import lengthen
from scripts.benchmarks.stage import Stage

_TARGET = 1000.0
_MB = 1e6
_PATIENCE = 900.0


def run(stage: Stage) -> list[Figure]:
    """One lender's log grows by a million records; it starts again, and another one catches up."""
    cluster, count = stage.cluster, stage.pick(1_000_000, 20_000)
    author, other = cluster.members[:2]
    empty = cluster.status(other).memory_bytes / _MB
    stage.say(f"adding {count} records to the log of {author}")
    cluster.stop(*cluster.running)
    size = lengthen(stage, author, count)
    for member in (author, other):
        config = cluster.home_folder(member) / "config.toml"
        config.write_text(config.read_text().replace("cache_mib = 64", "cache_mib = 512"))
    cluster.restart(author)
    opened = cluster.status(author).memory_bytes / _MB
    stage.say(f"{other} catches up")
    cluster.start(other)
    cluster.wait_until(lambda: cluster.sizes(other)[author][0] == size, "caught up", _PATIENCE)
    grown, served = (cluster.status(member).memory_bytes / _MB for member in (other, author))
    details = {"records": size, "before": empty}
    cluster.start()
    return [
        Figure("a node after its start", opened, "MB", _TARGET, details=details),
        Figure("a node that has served them", served, "MB", _TARGET, details=details),
        Figure("a node that has replicated them", grown, "MB", _TARGET, details=details),
    ]
