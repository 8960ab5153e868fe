"""What a process that holds secrets asks of the system: that a crash leaves no image of its memory.

A core would hold keys, identities and amounts in the clear. Without the dumpable flag Linux writes none, be it to a
file or to a crash reporter, and lets nobody but root attach a debugger.
"""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4  # prctl(2)


def leave_no_core() -> None:
    """For this process; a program that it starts decides for itself."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
