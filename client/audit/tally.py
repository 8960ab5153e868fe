"""What a log holds, counted while it is read; and the few entries that more is worked out from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from client.audit.accusations import Accusations
from client.audit.ballots import Ballots
from client.audit.challenges import Challenges
from client.audit.follower import Taken
from client.audit.timeline import Timeline
from ledger.ceremony import CeremonyEntry, read_entry
from ledger.entries import Kind, file_entry, kind_name
from ledger.note import VerifierKey

_CEREMONY = frozenset({Kind.READY, Kind.DEALING, Kind.CLOSE, Kind.COMPLAINT, Kind.REVEAL, Kind.CONFIRMATION})
_BALLOTS = frozenset({Kind.PROPOSAL, Kind.APPROVAL})
_CHALLENGES = frozenset({Kind.CHALLENGE, Kind.CHALLENGE_ANSWER})
_READ = _CEREMONY | _BALLOTS | _CHALLENGES | {Kind.EVIDENCE}


class Tally:
    """Of one log. labels: index of the first entry under each label; kept only where asked for."""

    def __init__(
        self,
        member: str,
        *,
        keep_labels: bool,
        origin: str = "",
        manifests: Collection[bytes] = (),
        keys: Mapping[str, VerifierKey] | None = None,
    ) -> None:
        """member, origin: whose log it is, and which. manifests: the ids of all. keys: of all logs, by origin."""
        self._member = member
        self._keep_labels = keep_labels
        self._codes: Counter[int] = Counter()
        self.ceremony: list[CeremonyEntry] = []
        self.ballots = Ballots(member, origin, manifests)
        self.accusations = Accusations(member, keys or {})
        self.challenges = Challenges(member, origin)
        self.labels: dict[bytes, int] = {}
        self.timeline = Timeline()

    @property
    def kinds(self) -> dict[str, int]:
        """Number of entries by kind; "unsound" ones keep no form that the protocol knows, and count for nothing."""
        return {kind_name(code): count for code, count in sorted(self._codes.items())}

    def count(self, taken: Taken) -> None:
        """The next verified entries."""
        filings = list(map(file_entry, taken.entries))
        codes = Counter(code for code, _ in filings)
        self._codes += codes
        self.timeline.count(taken.entries)
        if self._keep_labels:
            for index, (_, label) in enumerate(filings, taken.start):
                if label is not None:
                    self.labels.setdefault(label, index)
        if not _READ.isdisjoint(codes):
            for index, ((code, _), entry) in enumerate(zip(filings, taken.entries, strict=True), taken.start):
                self._read(index, code, entry)

    def _read(self, index: int, code: int, entry: bytes) -> None:
        if code in _CEREMONY:
            read = read_entry(self._member, index, entry)
            self.ceremony += [] if read is None else [read]
        elif code in _BALLOTS:
            self.ballots.take(index, code, entry)
        elif code in _CHALLENGES:
            self.challenges.take(index, code, entry)
        elif code == Kind.EVIDENCE:
            self.accusations.take(index, entry)
