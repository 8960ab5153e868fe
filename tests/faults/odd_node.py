"""python -m tests.faults.odd_node <seconds a certificate lives, 0: as always> <seconds its clock is off> <arguments ..>

A node like any other, but for these two, so that what takes a year is seen in a minute.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import timedelta

from node.__main__ import main as run
from node.clock import Clock
from node.homes import authority, credentials, renewal


def live_shortly(seconds: float) -> None:
    """Certificates issued from now on lapse after so many seconds; they are renewed when half of that is left."""
    defaults = authority.issue_leaf.__kwdefaults__
    assert defaults is not None
    defaults["days"] = timedelta(seconds=seconds) / timedelta(days=1)
    for module in (credentials, renewal):
        module.RENEW_BEFORE = timedelta(seconds=seconds / 2)  # type: ignore[attr-defined]
    renewal.INTERVAL = seconds / 8


def shift(seconds: float) -> None:
    """The clock of this process, as the node's parts see it."""
    Clock.unix = lambda self: time.time() + seconds  # type: ignore[method-assign]


def main(arguments: Sequence[str]) -> int:
    """Runs the node; its exit code."""
    life, off, *rest = arguments
    if float(life):
        live_shortly(float(life))
    shift(float(off))
    return run(rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
