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
        filings = list(map(file_entry, taken.entries))
        codes = Counter(code for code, _ in filings)
        self._codes += codes
        if self._keep_labels:
            for index, (_, label) in enumerate(filings, taken.start):
                if label is not None:
                    self.labels.setdefault(label, index)
        if not _CEREMONY.isdisjoint(codes):
            reads = (read_entry(self._member, index, entry) for index, entry in enumerate(taken.entries, taken.start))
            self.ceremony += [read for read in reads if read is not None]
