"""The entries of the key ceremonies out of the members' logs, each read once (protocol section 5).

Kept is what a replay can take notice of, and that is bounded whatever a member appends: of each author and attempt the
first entry of a kind, and of Complaints and Reveals as many as any of the epochs has custodians.

A member that has written several logs has written them one after the other, so the first one's entries come first,
whichever arrives first. Its key may still be in somebody's hands when that log has ended: what stands behind the end
counts for ceremonies that had begun before, and for none that a later manifest begins. Else a custodian could put
another Ready, Dealing or Confirmation ahead of the one that all rests on, without forking any log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from ledger.ceremony import Beginning, CeremonyEntry, Epochs, read_entry
from ledger.ceremony.entry import Body, ComplaintEntry, RevealEntry
from ledger.chain import Chain, Log
from ledger.checkpoint import parse_origin
from ledger.entries import Kind
from ledger.history import History
from ledger.succession import newly_ended

#: Attempts beyond the ones that failed whose entries are kept: honest custodians begin one when they see the last fail.
AHEAD = 2

_KINDS = (Kind.READY, Kind.DEALING, Kind.CLOSE, Kind.COMPLAINT, Kind.REVEAL, Kind.CONFIRMATION)
_Slot = tuple[str, bytes, type[Body], bytes]
_End = tuple[int, int]

_APART = 1 << 64  # places from one log of a member to its next one: no log has as many


class Following:
    """Follows the logs of `chain`. Not for several threads at once."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._ceremonies: Mapping[bytes, int] = {}
        self._answers_kept = 0
        self._ends: Mapping[str, _End] = {}
        self._forget()

    def entries(
        self, beginnings: Sequence[Beginning], epochs: Epochs | None, history: History | None = None
    ) -> list[CeremonyEntry]:
        """All that is to be replayed of these ceremonies, with places as indices (ledger.joined) that tell their order.

        epochs: where they stood last. history: all manifests so far. Raises what reading does.
        """
        self._ends = {} if history is None else _ends(history)
        if not _wanted(beginnings, epochs, AHEAD).keys() <= self._ceremonies.keys():
            self._ceremonies = _wanted(beginnings, epochs, 2 * AHEAD)
            # One complains of as many dealers, and answers as many receivers, as there are: of this epoch or another.
            self._answers_kept = max(len(beginning.custodians) for beginning in beginnings)
            self._forget()
        members = {name for beginning in beginnings for name in beginning.custodians}
        for held in self._chain.logs():
            if held.member in members:
                self._read(held)
        return list(self._kept.values())

    def _forget(self) -> None:
        """All logs are read anew."""
        self._read_to: dict[str, int] = {}
        self._kept: dict[_Slot, CeremonyEntry] = {}
        self._answers: Counter[tuple[str, bytes, type[Body]]] = Counter()  # by log

    def _read(self, held: Log) -> None:
        size = held.size
        for kind in _KINDS:
            for index, raw in held.entries_by_kind(kind, self._read_to.get(held.origin, 0), size):
                # Most of a flood names another ceremony, or none: that is seen before anything is parsed.
                if any(ceremony in raw for ceremony in self._ceremonies):
                    self._keep(held.origin, read_entry(held.member, index, raw))
        self._read_to[held.origin] = size

    def _keep(self, origin: str, entry: CeremonyEntry | None) -> None:
        if entry is None or not self._counts(origin, entry):
            return
        slot = entry.author, entry.body.ceremony, type(entry.body), _about(entry.body)
        entry = replace(entry, index=(parse_origin(origin)[2] - 1) * _APART + entry.index)
        if slot in self._kept and self._kept[slot].index < entry.index:
            return
        if isinstance(entry.body, ComplaintEntry | RevealEntry):
            kind = origin, entry.body.ceremony, type(entry.body)
            if self._answers[kind] >= self._answers_kept:
                return
            self._answers[kind] += 1
        self._kept[slot] = entry

    def _counts(self, origin: str, entry: CeremonyEntry) -> bool:
        epoch = self._ceremonies.get(entry.body.ceremony)
        if epoch is None:
            return False
        size, last = self._ends.get(origin, (entry.index + 1, epoch))
        return entry.index < size or epoch <= last


def _wanted(beginnings: Sequence[Beginning], epochs: Epochs | None, ahead: int) -> dict[bytes, int]:
    """The ids of all attempts that may matter, with their epochs."""
    wanted: dict[bytes, int] = {}
    for beginning in beginnings:
        stands = None if epochs is None else epochs.ceremonies.get(beginning.epoch)
        attempts = ahead + (0 if stands is None else len(stands.failed))
        wanted |= dict.fromkeys(map(beginning.context(None).ceremony_id, range(1, attempts + 1)), beginning.epoch)
    return wanted


def _ends(history: History) -> dict[str, _End]:
    """By origin of a log that has ended: how much of it counts, and the last epoch that had begun before."""
    return {
        log.origin(after.consortium.hex()): (log.size, before.epoch)
        for before, after in pairwise(history.manifests)
        for log in newly_ended(before, after)
    }


def _about(body: Body) -> bytes:
    """What tells apart the entries of one kind that count beside each other."""
    if isinstance(body, ComplaintEntry):
        return body.dealing
    return body.complaint if isinstance(body, RevealEntry) else b""
