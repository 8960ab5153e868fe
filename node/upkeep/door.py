"""A door that many threads pass, and that one can shut to be alone: so that a database is never closed under a thread
that is still at work in it, which would take the process down."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PAUSE = 0.001  # seconds between two looks whether all have left


class Door:
    """Whoever is inside must not enter again, nor shut it: it would wait for itself.

    Passing takes no lock, as it is done for every read: appending to a list is one step, and whoever shuts the door
    looks at the list after having said so, whoever enters looks whether it is shut after having stood in the list.
    """

    def __init__(self) -> None:
        self._inside: list[None] = []
        self._open = threading.Event()
        self._open.set()
        self._shut = False
        self._alone = threading.Lock()

    def enter(self) -> None:
        """Returns once the door is open; the caller is inside until `leave`."""
        self._inside.append(None)
        while self._shut:
            self._inside.pop()
            self._open.wait()
            self._inside.append(None)

    def leave(self) -> None:
        """The caller is no longer inside."""
        self._inside.pop()

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Keeps everybody out, and waits until nobody is inside."""
        with self._alone:
            self._open.clear()
            self._shut = True
            try:
                while self._inside:
                    time.sleep(_PAUSE)
                yield
            finally:
                self._shut = False
                self._open.set()
