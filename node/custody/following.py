"""The entries of the key ceremonies out of the members' logs, each read once (protocol section 5).

Kept is what a replay can take notice of, and that is bounded whatever a member appends: of each author and attempt the
first entry of a kind, and of Complaints and Reveals as many as any of the epochs has custodians.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ledger.ceremony import Beginning, CeremonyEntry, Epochs, read_entry
from ledger.ceremony.counting import NOWHERE, End, counts_until, ends_of, place_of
from ledger.ceremony.entry import Body, ComplaintEntry, RevealEntry
from ledger.chain.chain import Chain, Log
from ledger.chain.entries import Kind
from ledger.consortium.history import History
from ledger.tlog.checkpoint import parse_origin

#: Attempts beyond the ones that failed whose entries are kept: honest custodians begin one when they see the last fail.
AHEAD = 2

_KINDS = (Kind.READY, Kind.DEALING, Kind.CLOSE, Kind.COMPLAINT, Kind.REVEAL, Kind.CONFIRMATION)
_Slot = tuple[str, bytes, type[Body], bytes]


class Following:
    """Follows the logs of `chain`. Not for several threads at once."""

    def __init__(self, chain: Chain, member: str = "", settled: Callable[[Log], int] = lambda held: held.size) -> None:
        """member: whose node this is, "" for nobody's. settled: how many entries of a log stand below a witnessed head
        (ledger.witnessing.settled); all of them where nobody is asked."""
        self._chain = chain
        self._member = member
        self._settled = settled
        self._ceremonies: Mapping[bytes, int] = {}
        self._answers_kept = 0
        self._ends: Mapping[str, End] = {}
        self._forget()

    def entries(
        self, beginnings: Sequence[Beginning], epochs: Epochs | None, history: History | None = None
    ) -> list[CeremonyEntry]:
        """All that is to be replayed of these ceremonies, with places as indices (joined) that tell their order;
        and what stands in this member's own log and is not settled yet.

        epochs: where they stood last. history: all manifests so far. Raises what reading does.
        """
        self._ends = {} if history is None else ends_of(history)
        if not _wanted(beginnings, epochs, AHEAD).keys() <= self._ceremonies.keys():
            self._ceremonies = _wanted(beginnings, epochs, 2 * AHEAD)
            # One complains of as many dealers, and answers as many receivers, as there are: of this epoch or another.
            self._answers_kept = max(len(beginning.custodians) for beginning in beginnings)
            self._forget()
        members = {name for beginning in beginnings for name in beginning.custodians}
        said: list[CeremonyEntry] = []
        for held in self._chain.logs():
            if held.member in members:
                self._read(held)
                if held.member == self._member and held.origin not in self._ends:
                    said += self._unsettled(held)
        return [*self._kept.values(), *said]

    def _forget(self) -> None:
        """All logs are read anew."""
        self._read_to: dict[str, int] = {}
        self._kept: dict[_Slot, CeremonyEntry] = {}
        self._answers: Counter[tuple[str, bytes, type[Body]]] = Counter()  # by log

    def _read(self, held: Log) -> None:
        end, read_to = self._ends.get(held.origin), self._read_to.get(held.origin, 0)
        size = max(self._settled(held), 0 if end is None else _size_held(held, end))
        for entry in self._entries(held, read_to, size):
            until = counts_until(entry.index, size, end)
            # What does not count must not be in the place of what does.
            if until is None or self._ceremonies[entry.body.ceremony] <= until:
                self._keep(held.origin, replace(entry, until=until))
        self._read_to[held.origin] = max(size, read_to)

    def _entries(self, held: Log, start: int, stop: int) -> Iterator[CeremonyEntry]:
        for kind in _KINDS:
            for index, raw in held.entries_by_kind(kind, start, stop):
                # Most of a flood names another ceremony, or none: that is seen before anything is parsed.
                if any(ceremony in raw for ceremony in self._ceremonies):
                    entry = read_entry(held.member, index, raw)
                    if entry is not None and entry.body.ceremony in self._ceremonies:
                        yield entry

    def _unsettled(self, held: Log) -> Iterator[CeremonyEntry]:
        for entry in self._entries(held, self._read_to[held.origin], held.size):
            yield replace(entry, index=_place(held.origin, entry.index), until=NOWHERE)

    def _keep(self, origin: str, entry: CeremonyEntry) -> None:
        slot = entry.author, entry.body.ceremony, type(entry.body), _about(entry.body)
        entry = replace(entry, index=_place(origin, entry.index))
        if slot in self._kept and self._kept[slot].index < entry.index:
            return
        if isinstance(entry.body, ComplaintEntry | RevealEntry):
            kind = origin, entry.body.ceremony, type(entry.body)
            if self._answers[kind] >= self._answers_kept:
                return
            self._answers[kind] += 1
        self._kept[slot] = entry


def _wanted(beginnings: Sequence[Beginning], epochs: Epochs | None, ahead: int) -> dict[bytes, int]:
    """The ids of all attempts that may matter, with their epochs."""
    wanted: dict[bytes, int] = {}
    for beginning in beginnings:
        stands = None if epochs is None else epochs.ceremonies.get(beginning.epoch)
        attempts = ahead + (0 if stands is None else len(stands.failed))
        wanted |= dict.fromkeys(map(beginning.context(None).ceremony_id, range(1, attempts + 1)), beginning.epoch)
    return wanted


def _size_held(held: Log, end: End) -> int:
    """How much of a log that has ended counts by that alone: nothing before it is held up to there, and is the one that
    the manifest means."""
    size = end.log.size
    return size if 0 < size <= held.size and held.root_at(size) == end.log.root else 0


def _place(origin: str, index: int) -> int:
    return place_of(parse_origin(origin)[2], index)


def _about(body: Body) -> bytes:
    """What tells apart the entries of one kind that count beside each other."""
    if isinstance(body, ComplaintEntry):
        return body.dealing
    return body.complaint if isinstance(body, RevealEntry) else b""
