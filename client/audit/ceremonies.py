"""The key ceremonies, replayed from the logs as they were read, epoch after epoch (docs/protocol.md, section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from client.audit.one_log import OneLog
from ledger.ceremony import CeremonyEntry, Epochs, beginnings_of, replay_epochs
from ledger.history import History

NOT_BEGUN = "waiting-for-the-epoch-before"


def replay(history: History, logs: Iterable[OneLog]) -> Epochs:
    """Where they stand."""
    return replay_epochs(beginnings_of(history), _entries(logs))


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


def _entries(logs: Iterable[OneLog]) -> Iterator[CeremonyEntry]:
    """Those of a member that has written several logs stand one after the other, as it wrote them."""
    before: Counter[str] = Counter()
    for log in sorted(logs, key=lambda log: log.id.incarnation):
        yield from (replace(entry, index=before[log.member] + entry.index) for entry in log.tally.ceremony)
        before[log.member] += log.size
