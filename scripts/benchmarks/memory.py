"""What a node with many records keeps in memory: after its start, after serving them, after replicating them.

LevelDB maps its files, so what was read of them lately counts as resident although it is the system's cache, which the
node gives up when others need it. Both are told: what is the node's own, and all that is resident.
"""

from __future__ import annotations

import re
from pathlib import Path

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
    figures = [_figure(stage, other, "a node with next to nothing")]
    stage.say(f"adding {count} records to the log of {author}")
    cluster.stop(*cluster.running)
    size = lengthen(stage, author, count)
    for member in (author, other):
        config = cluster.home_folder(member) / "config.toml"
        config.write_text(config.read_text().replace("cache_mib = 64", "cache_mib = 512"))
    cluster.restart(author)
    figures.append(_figure(stage, author, f"a node with {size:,} records, just started"))
    stage.say(f"{other} catches up")
    cluster.start(other)
    cluster.wait_until(lambda: cluster.sizes(other)[author][0] == size, "caught up", _PATIENCE)
    figures.append(_figure(stage, author, "the same, when it has served them"))
    figures.append(_figure(stage, other, "a node that has replicated them"))
    cluster.restart()
    return figures


def _figure(stage: Stage, member: str, name: str) -> Figure:
    status = Path(f"/proc/{stage.cluster.process(member).pid}/status").read_text()
    own, all_of_it = (
        int(found[1]) * 1024 / _MB
        for found in (re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE) for field in ("RssAnon", "VmRSS"))
        if found is not None
    )
    return Figure(name, own, "MB", _TARGET, details={"resident": all_of_it})
