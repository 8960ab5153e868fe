"""The entries of the key ceremonies out of the members' logs, each read once (protocol section 5).

Kept is what a replay can take notice of, and that is bounded whatever a member appends: of each author and attempt the
first entry of a kind, and of Complaints and Reveals as many as any of the epochs has custodians.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ledger.ceremony import Beginning, CeremonyEntry, Epochs, read_entry
from ledger.ceremony.entry import Body, ComplaintEntry, RevealEntry
from ledger.chain import Chain, Log
from ledger.entries import Kind

#: Attempts beyond the ones that failed whose entries are kept: honest custodians begin one when they see the last fail.
AHEAD = 2

_KINDS = (Kind.READY, Kind.DEALING, Kind.CLOSE, Kind.COMPLAINT, Kind.REVEAL, Kind.CONFIRMATION)
_Slot = tuple[str, bytes, type[Body], bytes]


class Following:
    """Follows the logs of `chain`. Not for several threads at once."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._ceremonies: frozenset[bytes] = frozenset()
        self._answers_kept = 0
        self._forget()

    def entries(self, beginnings: Sequence[Beginning], epochs: Epochs | None) -> list[CeremonyEntry]:
        """All that is to be replayed of these ceremonies. epochs: where they stood last. Raises what reading does."""
        if not _wanted(beginnings, epochs, AHEAD) <= self._ceremonies:
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
        self._answers: Counter[tuple[str, bytes, type[Body]]] = Counter()

    def _read(self, held: Log) -> None:
        size = held.size
        for kind in _KINDS:
            for index, raw in held.entries_by_kind(kind, self._read_to.get(held.origin, 0), size):
                # Most of a flood names another ceremony, or none: that is seen before anything is parsed.
                if any(ceremony in raw for ceremony in self._ceremonies):
                    self._keep(read_entry(held.member, index, raw))
        self._read_to[held.origin] = size

    def _keep(self, entry: CeremonyEntry | None) -> None:
        if entry is None or entry.body.ceremony not in self._ceremonies:
            return
        kind = entry.author, entry.body.ceremony, type(entry.body)
        slot = (*kind, _about(entry.body))
        if slot in self._kept:
            return
        if isinstance(entry.body, ComplaintEntry | RevealEntry):
            if self._answers[kind] >= self._answers_kept:
                return
            self._answers[kind] += 1
        self._kept[slot] = entry


def _wanted(beginnings: Sequence[Beginning], epochs: Epochs | None, ahead: int) -> frozenset[bytes]:
    """The ids of all attempts that may matter."""
    wanted: set[bytes] = set()
    for beginning in beginnings:
        stands = None if epochs is None else epochs.ceremonies.get(beginning.epoch)
        attempts = ahead + (0 if stands is None else len(stands.failed))
        wanted.update(map(beginning.context(None).ceremony_id, range(1, attempts + 1)))
    return frozenset(wanted)


def _about(body: Body) -> bytes:
    """What tells apart the entries of one kind that count beside each other."""
    if isinstance(body, ComplaintEntry):
        return body.dealing
    return body.complaint if isinstance(body, RevealEntry) else b""
