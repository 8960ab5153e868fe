"""The key ceremonies, replayed from the logs as they were read, epoch after epoch (docs/protocol.md, section 5).

What is not settled does not count: what stands neither below a witnessed head nor below the end of its log. Who has
seen no witnessed heads may take all that was read of a log to be settled; what is final then may not be so for members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from client.audit.reading.logs import LogId
from ledger.ceremony import CeremonyEntry, Epochs, beginnings_of, replay_epochs
from ledger.ceremony.counting import End, counts_until, ends_of, place_of
from ledger.consortium.history import History

NOT_BEGUN = "waiting-for-the-epoch-before"


class Told(Protocol):
    """A log as far as it was read."""

    id: LogId

    @property
    def size(self) -> int:
        """How many entries."""

    def known_root(self, size: int) -> bytes | None:
        """The root at a size, where it is known."""

    @property
    def ceremony(self) -> Sequence[CeremonyEntry]:
        """Those of key ceremonies, in order."""


def replay(history: History, logs: Iterable[Told], settled: Callable[[Told], int] = lambda log: log.size) -> Epochs:
    """Where they stand. settled: the size of the largest witnessed head that is known of a log, and of its tree."""
    return replay_epochs(beginnings_of(history), _entries(logs, ends_of(history), settled))


def epochs_told(epochs: Epochs) -> list[dict[str, Any]]:
    """Of every key epoch, ascending: failed counts the attempts that came to nothing."""
    told = []
    for beginning in epochs.beginnings:
        ceremony = epochs.ceremonies.get(beginning.epoch)
        told.append(
            {
                "epoch": beginning.epoch,
                "manifest": beginning.manifest.hex(),
                "dealt_from": beginning.dealt_from,
                "custodians": list(beginning.custodians),
                "threshold": beginning.threshold,
                "phase": NOT_BEGUN if ceremony is None else ceremony.phase,
                "failed": 0 if ceremony is None else len(ceremony.failed),
            }
        )
    return told


def _entries(logs: Iterable[Told], ends: Mapping[str, End], settled: Callable[[Told], int]) -> Iterator[CeremonyEntry]:
    """Those of a member that has written several logs stand one after the other, as it wrote them."""
    for log in logs:
        end, size = ends.get(log.id.origin), settled(log)
        if end is not None and log.known_root(end.log.size) == end.log.root:
            size = max(size, end.log.size)
        for entry in log.ceremony:
            until = counts_until(entry.index, size, end)
            yield replace(entry, index=place_of(log.id.incarnation, entry.index), until=until)
