"""Which record of each lender an inquiry adds up, and which are left out and why (protocol, 8).

A pure function of the logs at the inquiry's sizes, its time and the query key: the asker and every custodian select for
themselves and must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ledger.borrower.labels import Findable, Labels, Numbered, QueryKeys
from ledger.cache import Cache
from ledger.crypto import elgamal
from ledger.crypto.elgamal import Ciphertext
from ledger.errors import InvalidInput, Unverified
from ledger.keys import PublicKeys
from ledger.positions.position_entry import PositionEntry
from ledger.queries.inquiry import DAY
from ledger.tlog import merkle

WRONG_KIND = "WRONG_KIND"
TOO_MANY_IGNORED = "TOO_MANY_IGNORED"
FUTURE_AS_OF = "FUTURE_AS_OF"
GAP = "GAP"
AS_OF_WENT_BACK = "AS_OF_WENT_BACK"
WRONG_EPOCH = "WRONG_EPOCH"
BAD_PROOF = "BAD_PROOF"
CONFLICTING_WITNESSES = "CONFLICTING_WITNESSES"
CHALLENGED = "CHALLENGED"
MAX_IGNORED = 16


class Readable(Findable, Protocol):
    """The part of a log that a selection needs."""

    def entry(self, index: int) -> bytes:
        """The entry's bytes as they were logged."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The first `size` entries of one member's record. conflicting: nobody can say how much of it counts.

    logs: of which logs it consists, by origin, and the place of the first entry of each, ascending; needed where
    records may be challenged.
    """

    member: str
    log: Readable
    size: int
    conflicting: bool = False
    logs: tuple[tuple[str, int], ...] = ()

    def located(self, place: int) -> tuple[str, int]:
        """The origin of the log that holds the entry at this place, and its index there."""
        return next((origin, place - first) for origin, first in reversed(self.logs) if first <= place)


class Doubting(Protocol):
    """What says whether a record was challenged in vain (`ledger.challenges.challenged`)."""

    def leave_out(self, tree: Tree, place: int, entry: bytes) -> bool:
        """Whether the record at this place is challenged and not answered."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """A record that is added up: position `number` of its author for this borrower, at place `index` of its record."""

    member: str
    number: int
    index: int
    entry: bytes = field(repr=False)
    ciphertext: Ciphertext = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An author or an entry that is left out: why, and the entry's place in the author's record."""

    member: str
    reason: str
    index: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Both in the manifest's order of members."""

    contributions: tuple[Contribution, ...]
    exclusions: tuple[Exclusion, ...]


class RecordVerifier:
    """Checks the proofs of records, each once: verdicts are remembered by author and leaf hash.

    The author is part of the key, as the same bytes are a proof in one log and none in another.
    """

    def __init__(self, consortium: bytes, keys: PublicKeys, verdicts: Cache[tuple[str, bytes], bool]) -> None:
        self._consortium = consortium
        self._keys = keys
        self._verdicts = verdicts

    def is_proved(self, member: str, entry: bytes, record: PositionEntry, ciphertext: Ciphertext) -> bool:
        """Whether this record of this member has canonical points and a proof that holds."""
        key = (member, merkle.leaf_hash(entry))
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._verify(member, record, ciphertext)
            self._verdicts.put(key, verdict)
        return verdict

    def _verify(self, member: str, record: PositionEntry, ciphertext: Ciphertext) -> bool:
        try:
            elgamal.verify(ciphertext, self._keys.fields, self._consortium, record.epoch, member, record.label)
        except (InvalidInput, Unverified):
            return False
        return True


def select(
    keys: QueryKeys,
    trees: Sequence[Tree],
    time: int,
    epoch: int,
    verifier: RecordVerifier,
    doubts: Doubting | None = None,
) -> Selection:
    """The records that an inquiry of `time` (Unix seconds) and key `epoch` about these trees adds up.

    trees: one per member, in the manifest's order. doubts: the challenges that count, if there are any. The number of
    contributors is not limited here.
    """
    contributions: list[Contribution] = []
    exclusions: list[Exclusion] = []
    for tree in trees:
        if tree.conflicting:
            exclusions.append(Exclusion(tree.member, CONFLICTING_WITNESSES, 0))
            continue
        search = _Search(tree, keys.positions(tree.member), exclusions, doubts)
        chosen = search.choose(time // DAY + 1, epoch, verifier)
        if chosen is not None:
            contributions.append(chosen)
    return Selection(tuple(contributions), tuple(exclusions))


class _Excluded(Exception):
    """The author is left out; the reason has been noted."""


class _Search:
    """The search for one member's record; what it leaves out goes into `exclusions`."""

    def __init__(self, tree: Tree, labels: Labels, exclusions: list[Exclusion], doubts: Doubting | None) -> None:
        self._tree = tree
        self._doubts = doubts
        self._numbered = Numbered(tree.log, labels)
        self._note: Callable[[Exclusion], None] = exclusions.append

    def choose(self, latest: int, epoch: int, verifier: RecordVerifier) -> Contribution | None:
        """latest: the last day (since 1970-01-01) a record may speak of."""
        try:
            newest = self._newest(latest)
            if newest is None:
                return None
            number, index, entry, record = newest
            if record.ciphertext is None:  # closed
                return None
            if not 1 <= record.epoch <= epoch:
                raise self._excluded(WRONG_EPOCH, index)
            if not verifier.is_proved(self._tree.member, entry, record, record.ciphertext):
                raise self._excluded(BAD_PROOF, index)
            if self._doubts is not None and self._doubts.leave_out(self._tree, index, entry):
                raise self._excluded(CHALLENGED, index)
            return Contribution(self._tree.member, number, index, entry, record.ciphertext)
        except _Excluded:
            return None

    def _newest(self, latest: int) -> tuple[int, int, bytes, PositionEntry] | None:
        """The newest record whose day is neither in the future nor before its predecessor's."""
        newest = self._numbered.newest(self._tree.size)
        if newest is None:
            return None
        for ignored, number in enumerate(range(newest, -1, -1)):
            index = self._index(number)
            if ignored == MAX_IGNORED:
                raise self._excluded(TOO_MANY_IGNORED, index)
            entry, record = self._read(number, index)
            flaw = self._flaw(number, index, record, latest)
            if not flaw:
                return number, index, entry, record
            self._note(Exclusion(self._tree.member, flaw, index))
        return None

    def _flaw(self, number: int, index: int, record: PositionEntry, latest: int) -> str:
        """Why this entry is passed over, or "". A missing predecessor is misconduct whatever the entry says."""
        earliest = 0
        if number:
            before = self._numbered.index_below(number - 1, index)
            if before is None:
                raise self._excluded(GAP, index)
            earliest = self._read(number - 1, before)[1].as_of
        if record.as_of > latest:
            return FUTURE_AS_OF
        return AS_OF_WENT_BACK if record.as_of < earliest else ""

    def _index(self, number: int) -> int:
        index = self._numbered.index(number)
        assert index is not None, "the search goes from an entry that is there to a predecessor that was found"
        return index

    def _read(self, number: int, index: int) -> tuple[bytes, PositionEntry]:
        entry = self._tree.log.entry(index)
        try:
            record = PositionEntry.parse(entry)
        except InvalidInput:
            raise self._excluded(WRONG_KIND, index) from None
        if record.label != self._numbered.label(number):
            raise Unverified("INDEX_ROTTEN", f"the label index of {self._tree.member}'s log is wrong: rebuild it")
        return entry, record

    def _excluded(self, reason: str, index: int) -> _Excluded:
        self._note(Exclusion(self._tree.member, reason, index))
        return _Excluded()
