"""What a process asks of the system: that a crash leaves no image of its memory, that what it frees is taken back, and
that it may open enough files.

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


_FILES = 65_536


def allow_files() -> None:
    """As many open files as the system grants: connections (node.wire.server.MAX_CONNECTIONS) and the stores' tables
    are more than the 1,024 that many systems begin with."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # mallopt(3)
_LARGE = 256 * 1024


def give_memory_back() -> None:
    """Lets glibc map large buffers one by one. By itself it keeps, for each thread, megabytes of what it gave out once:
    blocks, which come and go by the hundred, then make a node grow to several times what it holds."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # glibc's alone
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_ARENA_MAX, 2)
