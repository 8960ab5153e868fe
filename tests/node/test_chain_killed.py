"""Kill -9 at any moment loses nothing acknowledged and leaves a chain that verifies (design section 8)."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ledger.chain.chain import Chain
from ledger.chain.store import Store
from node.upkeep.leveldb import LevelStore
from tests.ledger.sample_logs import NAME, ORIGIN, SIGNER

ROOT = Path(__file__).resolve().parents[2]

WRITER = """
    import sys, pathlib, random
    from ledger.chain.chain import Chain
    from node.upkeep.leveldb import LevelStore
    from tests.ledger import sample_entries as sample
    from tests.ledger.sample_logs import NAME, SIGNER
    own = Chain(LevelStore(pathlib.Path(sys.argv[1])), [NAME]).own(SIGNER)
    rng = random.Random()
    while True:
        own.append([sample.position(rng) for _ in range(rng.choice([1, 2, 300]))])
        print(own.size, own.log.head.head.root.hex(), flush=True)
"""


def killed_after(folder: Path, lines: int) -> list[tuple[int, bytes]]:
    """(size, root) of every head that the writer had acknowledged when it was killed."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    whole = [line.split() for line in told if line.endswith("\n")]
    return [(int(size), bytes.fromhex(root)) for size, root in whole]


def check(store: Store, acknowledged: list[tuple[int, bytes]]) -> None:
    chain = Chain(store, [NAME])
    log = chain.log_by_origin(ORIGIN)
    assert log.size >= acknowledged[-1][0]
    assert all(log.root_at(size) == root for size, root in acknowledged)
    assert log.head is not None
    assert chain.verify(ORIGIN) == log.size == log.head.head.size
    chain.own(SIGNER)


@pytest.mark.faults
def test_a_writer_killed_again_and_again_loses_nothing_it_had_acknowledged(tmp_path):
    acknowledged: list[tuple[int, bytes]] = []
    for lines in (1, 7, 20, 3, 12):
        acknowledged += killed_after(tmp_path / "chain", lines)
        store = LevelStore(tmp_path / "chain")
        try:
            check(store, acknowledged)
        finally:
            store.close()
