"""The entries of key ceremonies in one log, as far as they can count (docs/protocol.md, section 5).

Of each author the first entry of a kind counts in a ceremony; of Complaints the first against each dealing, of Reveals
the first to each complaint, and no more than there are custodians. So that is all that is kept, whatever a member
appends. Ceremonies are those that a manifest known here has begun, in one of the first attempts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ledger.ceremony import CeremonyEntry, beginnings_of, read_entry
from ledger.ceremony.entry import ComplaintEntry, RevealEntry, parse_body
from ledger.consortium.history import History

#: Attempts at a ceremony that are looked at. Waits double from one to the next, up to an hour.
MAX_ATTEMPTS = 64
#: Complaints, and Reveals, of one log in one ceremony: a consortium has no more custodians.
MAX_ABOUT = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry that the next audit needs. entry: without what no reader looks at. leaf: of the entry as it was."""

    index: int
    leaf: bytes
    entry: bytes


def ceremonies_of(history: History) -> frozenset[bytes]:
    """The ids of all ceremonies that manifests have begun."""
    contexts = (beginning.context(None) for beginning in beginnings_of(history))
    return frozenset(context.ceremony_id(attempt) for context in contexts for attempt in range(1, MAX_ATTEMPTS + 1))


class CeremonyEntries:
    """Of one log. is_foreign: there were entries of ceremonies that are not known here, which were not kept."""

    def __init__(self, member: str, ceremonies: Collection[bytes]) -> None:
        self._member = member
        self._ceremonies = ceremonies
        self._seen: set[tuple[bytes, type, bytes]] = set()
        self._about: dict[tuple[bytes, type], int] = {}
        self.entries: list[CeremonyEntry] = []
        self.is_foreign = False

    def take(self, index: int, entry: bytes) -> None:
        """A sound entry of one of these kinds."""
        read = read_entry(self._member, index, entry)
        if read is not None:
            self._keep(read)

    def restore(self, kept: Kept) -> None:
        """One that an earlier audit kept. Raises InvalidInput."""
        self._keep(CeremonyEntry(self._member, kept.index, kept.leaf, parse_body(kept.entry)))

    def kept(self) -> Iterator[Kept]:
        """What to go on from."""
        return (Kept(each.index, each.leaf, each.body.encode(0)) for each in self.entries)

    def _keep(self, read: CeremonyEntry) -> None:
        body = read.body
        if body.ceremony not in self._ceremonies:
            self.is_foreign = True
            return
        about = b""
        if isinstance(body, ComplaintEntry | RevealEntry):
            about = body.dealing if isinstance(body, ComplaintEntry) else body.complaint
        key, many = (body.ceremony, type(body), about), (body.ceremony, type(body))
        if key in self._seen or self._about.get(many, 0) >= MAX_ABOUT:
            return
        self._seen.add(key)
        self._about[many] = self._about.get(many, 0) + 1
        self.entries.append(read)
