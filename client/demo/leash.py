"""python -m client.demo.leash <parent's pid> <command ..>: becomes the command, and dies with its parent.

However the demo ends, be it by kill -9, the kernel then stops its nodes (PR_SET_PDEATHSIG of prctl(2); Linux only).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> None:
    """Does not return."""
    parent, command = int(arguments[0]), list(arguments[1:])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before it was watched
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 -- no shell is meant


if __name__ == "__main__":
    main(sys.argv[1:])
