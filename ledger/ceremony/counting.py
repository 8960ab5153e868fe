"""Which entries of a custodian's logs count in which ceremonies (protocol, section 5).

- Nothing counts before it is settled: it stands below a witnessed head, or below the end of a log that has ended. Else
  who forks its log could show some of the others what the rest never get to see.
- A member that has written several logs has written them one after the other, so the first one's entries come first,
  whichever arrives first.
- Its key may still be in somebody's hands when a log has ended: what stands behind the end counts for ceremonies that
  had begun before, and for none that a later manifest begins. Else a custodian could put another Ready, Dealing or
  Confirmation ahead of the one that all rests on, without forking any log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ledger.consortium.ended import EndedLog
from ledger.consortium.history import History
from ledger.consortium.succession import newly_ended

NOWHERE = 0
"""In an entry's `until`: no epoch is below 1."""

_APART = 1 << 64  # places from one log of a member to its next one: no log has as many


@dataclass(frozen=True, slots=True)
class End:
    """log: as the manifest has it. last_epoch: the last one that had begun when that manifest was not yet in force."""

    log: EndedLog
    last_epoch: int


def ends_of(history: History) -> Mapping[str, End]:
    """By origin: the logs that have ended."""
    return {
        log.origin(after.consortium.hex()): End(log, before.epoch)
        for before, after in pairwise(history.manifests)
        for log in newly_ended(before, after)
    }


def counts_until(index: int, settled: int, end: End | None = None) -> int | None:
    """The last epoch in whose ceremonies an entry counts; None for all of them, NOWHERE for none.

    settled: size of the largest witnessed head up to which its log is held; of a log that has ended, and is held up to
    there with the root that the manifest says, no less than where it ended. end: where it has ended.
    """
    if index >= settled:
        return NOWHERE
    return None if end is None or index < end.log.size else end.last_epoch


def place_of(incarnation: int, index: int) -> int:
    """What tells the order of the entries of one member, in whichever of its logs, from 1, they stand."""
    return (incarnation - 1) * _APART + index
