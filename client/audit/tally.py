"""What a log holds, counted while it is read; and the entries that the key ceremony is replayed from."""

from __future__ import annotations

from collections import Counter

from client.audit.follower import Taken
from ledger.ceremony import CeremonyEntry, read_entry
from ledger.entries import Kind, file_entry, kind_name

_CEREMONY = frozenset({Kind.READY, Kind.DEALING, Kind.CLOSE, Kind.COMPLAINT, Kind.REVEAL, Kind.CONFIRMATION})


class Tally:
    """Of one member's log. labels: index of the first entry under each label; kept only where asked for."""

    def __init__(self, member: str, *, keep_labels: bool) -> None:
        self._member = member
        self._keep_labels = keep_labels
        self._codes: Counter[int] = Counter()
        self.ceremony: list[CeremonyEntry] = []
        self.labels: dict[bytes, int] = {}

    @property
    def kinds(self) -> dict[str, int]:
        """Number of entries by kind; "unsound" ones keep no form that the protocol knows, and count for nothing."""
        return {kind_name(code): count for code, count in sorted(self._codes.items())}

    def count(self, taken: Taken) -> None:
        """The next verified entries."""
        for index, entry in enumerate(taken.entries, taken.start):
            filing = file_entry(entry)
            self._codes[filing.code] += 1
            if filing.label is not None and self._keep_labels:
                self.labels.setdefault(filing.label, index)
            if filing.code in _CEREMONY and (read := read_entry(self._member, index, entry)) is not None:
                self.ceremony.append(read)
