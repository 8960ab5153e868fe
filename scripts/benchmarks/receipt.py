"""Verifying a receipt whose head has been verified before."""

from __future__ import annotations

import hashlib

from ledger.chain.memory_store import MemoryStore
from ledger.tlog.receipt import Receipt
from scripts.benchmarks import synthetic
from scripts.benchmarks.figure import Figure, Yardstick
from scripts.benchmarks.measure import alternate, paired, rate
from scripts.benchmarks.stage import Stage

_LAP = 2000
_US = 1e6
_TARGET = 25.0


def run(stage: Stage) -> list[Figure]:
    """Of a log of many thousand entries, so that a path has that many hashes."""
    size = stage.pick(65_536, 8_192)
    stage.say(f"a log of {size} records")
    own = synthetic.own_log(MemoryStore())
    for _ in synthetic.fill(own, size):
        pass
    index = size // 3
    entry, receipt, head = own.log.entry(index), own.log.receipt(index), own.log.head
    assert head is not None
    raw, verified = receipt.encode(), head.head

    def check() -> int:
        for _ in range(_LAP):
            receipt.check_under(entry, verified)
        return _LAP

    def read() -> int:
        for _ in range(_LAP):
            Receipt.parse(raw).check_under(entry, verified)
        return _LAP

    def bare() -> int:
        sha256, path = hashlib.sha256, receipt.path
        for _ in range(_LAP):
            last = sha256(b"\x00" + entry).digest()
            for sibling in path:
                last = sha256(b"\x01" + last + sibling).digest()
        return _LAP

    laps = alternate({"check": lambda: check, "read": lambda: read, "bare": lambda: bare}, stage.pick(15, 5))
    seconds = _US / rate(laps["bare"])
    name = f"bare hashes of a path of {len(receipt.path)}"
    return [
        Figure(
            "a receipt, its head verified",
            _US / rate(laps["check"]),
            "us",
            _TARGET,
            [Yardstick(name, seconds, 1 / paired(laps["check"], laps["bare"]))],
        ),
        Figure("the same, read from its bytes", _US / rate(laps["read"]), "us"),
    ]
