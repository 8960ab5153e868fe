"""Which records an inquiry adds up (protocol section 8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tests.second import labels
from tests.second.challenged import Challenger, left_out
from tests.second.entry import Entry
from tests.second.framing import digest
from tests.second.group import IDENTITY
from tests.second.position import Ciphertext, checked, summed
from tests.second.record import World
from tests.second.refusal import Refused, require

DAY = 86_400
MOST_CONTRIBUTORS = 63
MOST_IGNORED = 16


@dataclass(frozen=True)
class Record:
    member: str
    number: int
    entry: Entry
    ciphertext: Ciphertext


@dataclass
class Selection:
    records: list[Record] = field(default_factory=list)
    # Member, reason, index: in manifest order, and of one member as they came.
    excluded: list[tuple[str, str, int]] = field(default_factory=list)

    def sums(self) -> Ciphertext | None:
        """None where nobody contributes."""
        require(len(self.records) <= MOST_CONTRIBUTORS, "TOO_MANY_CONTRIBUTORS")
        if not self.records:
            return None
        sums = summed([record.ciphertext for record in self.records])
        require(sums.nonce_point != IDENTITY, "IDENTITY_SUM")
        return sums


def heads_digest(heads: Sequence[tuple[str, int, bytes]]) -> bytes:
    """Of (origin, size, root) per member in manifest order."""
    return digest("plimsoll/v1/heads", len(heads), *[part for head in heads for part in head])


def consent_digest(salt: bytes, document: bytes) -> bytes:
    return digest("plimsoll/v1/consent", salt, document)


def select(
    world: World,
    query_key: bytes,
    sizes: Sequence[int],
    time: int,
    epoch: int,
    conflicting: Collection[int] = (),
    challengers: Sequence[Challenger] = (),
) -> Selection:
    selection = Selection()
    key = labels.label_key(query_key)
    for place, (member, size) in enumerate(zip(world.consortium.names, sizes, strict=True)):
        if place in conflicting:
            selection.excluded.append((member, "CONFLICTING_WITNESSES", 0))
            continue
        _Author(world, selection, key, member, challengers).search(size, time, epoch)
    return selection


class _Author:
    """The search in one member's record."""

    def __init__(
        self, world: World, selection: Selection, key: bytes, member: str, challengers: Sequence[Challenger]
    ) -> None:
        self._challengers = challengers
        self._end = 0
        self._world, self._selection, self._key, self._member = world, selection, key, member
        self._log = world.record(member)

    def _place(self, number: int) -> int | None:
        return self._log.places.get(labels.label(self._key, labels.POSITION, self._member, number))

    def _name(self, reason: str, index: int) -> None:
        self._selection.excluded.append((self._member, reason, index))

    def search(self, size: int, time: int, epoch: int) -> None:
        self._end = self._log.offset + size
        number = labels.newest(self._place, self._end)
        ignored = 0
        while number is not None and number >= 0:
            place = self._place(number)
            assert place is not None
            entry = self._log.at(place)
            if ignored == MOST_IGNORED:
                return self._name("TOO_MANY_IGNORED", place)
            if (fault := self._fault(entry, number)) is not None:
                return self._name(*fault)
            reason = self._ignored(entry, number, time)
            if not reason:
                return self._weigh(entry, number, epoch)
            self._name(reason, place)
            ignored, number = ignored + 1, number - 1
        return None

    def _before(self, number: int) -> Entry | None:
        place = self._place(number - 1)
        return None if place is None else self._log.at(place)

    def _fault(self, entry: Entry, number: int) -> tuple[str, int] | None:
        if entry.kind != "position":
            return "WRONG_KIND", entry.index
        if number == 0:
            return None
        before = self._before(number)
        if before is None or before.index >= entry.index:
            return "GAP", entry.index
        return None if before.kind == "position" else ("WRONG_KIND", before.index)

    def _ignored(self, entry: Entry, number: int, time: int) -> str:
        if entry.body.as_of > time // DAY + 1:
            return "FUTURE_AS_OF"
        before = self._before(number) if number else None
        return "AS_OF_WENT_BACK" if before and entry.body.as_of < before.body.as_of else ""

    def _weigh(self, entry: Entry, number: int, epoch: int) -> None:
        body = entry.body
        if body.closed:
            return None
        if not 1 <= body.epoch <= epoch:
            return self._name("WRONG_EPOCH", entry.index)
        try:
            ciphertext = checked(
                self._world.consortium.founding,
                body.epoch,
                self._member,
                body.label,
                self._world.public_keys,
                body.nonce_point,
                tuple(body.bodies),
                body.proof,
            )
        except Refused:
            return self._name("BAD_PROOF", entry.index)
        if left_out(self._world, self._challengers, self._member, entry, self._end):
            return self._name("CHALLENGED", entry.index)
        self._selection.records.append(Record(self._member, number, entry, ciphertext))
        return None
