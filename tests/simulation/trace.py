"""What happened in a world, in order: for the reader of a failure, and as a digest, to compare two runs of one seed."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from tests.simulation.process import NODE

KEPT = 400
#: A consortium's id, or a hash: certificates of its members are made anew in every process.
_ID = re.compile(r"[0-9a-f]{64}")


class Trace:
    """The last lines but those of little interest, and a hash of all of them."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lines: deque[tuple[float, str, str, tuple[object, ...]]] = deque(maxlen=KEPT)
        self._hash = hashlib.sha256()
        self.events = 0

    def say(self, who: str, what: str, *facts: object) -> None:
        """facts: numbers and texts that are the same in every run of the seed."""
        line = (self._now(), who, what, facts)
        if not what.startswith("[debug]"):
            self._lines.append(line)
        self._hash.update(repr(line).encode())
        self.events += 1

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def tail(self, lines: int = 60) -> list[str]:
        """For people."""
        kept = list(self._lines)[-lines:]
        return [f"{at:9.3f} {who:10} {what} {' '.join(map(str, facts))}".rstrip() for at, who, what, facts in kept]

    def hear(self, _: Any, level: str, event: MutableMapping[str, Any]) -> Any:
        """The nodes' own log, as a processor of structlog."""
        process = NODE.get(None)
        what = event.pop("event", "")
        error = event.pop("exc_info", None)
        facts = [_ID.sub("#", f"{key}={value}") for key, value in event.items()]
        if error is not None:
            facts.append(f"raised {error!r}")
        self.say("world" if process is None else process.member, f"[{level}] {what}", *facts)
        raise structlog.DropEvent
