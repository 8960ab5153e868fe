"""What counts in one attempt of a key ceremony (protocol, section 5); `judge` finds it out from the logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ledger.ceremony.context import CeremonyContext
from ledger.ceremony.dealing import Dealing
from ledger.ceremony.entry import Body, ConfirmationEntry, ReadyEntry
from ledger.ceremony.qualification import Grievance, Outcome, outcome_of, qualify
from ledger.errors import PlimsollError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Posted:
    """An entry of this attempt at `index` in its author's log.

    author: the index, 1.., as dealer for a Dealing or Reveal, as receiver for all else.
    """

    author: int
    index: int
    leaf: bytes
    body: Body


@dataclass(frozen=True, slots=True)
class Void:
    """An entry that can never count: a stable code says why. author: as `Posted.author`; name: its author's."""

    author: int
    name: str
    leaf: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """A valid Close. author: the lowest index that published it. dealers: those whose dealings it counts, ascending."""

    leaf: bytes
    author: int
    dealers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Complaint:
    """Valid, of receiver `author` against the dealing of `dealer`. late: it stands behind its author's Confirmation."""

    id: bytes
    author: int
    dealer: int
    late: bool


@dataclass(frozen=True, slots=True)
class Reveal:
    """A dealer's answer to a complaint. good: the bundle fits the commitments."""

    leaf: bytes
    complaint: bytes
    bundle: bytes = field(repr=False)
    good: bool


@dataclass(frozen=True, slots=True)
class Vote:
    """A Confirmation that counts or may come to. outcome: None as long as something it refers to was not seen."""

    author: int
    entry: ConfirmationEntry
    outcome: Outcome | None


class Checks:
    """What was worked out before, so that replaying a ceremony at each new entry costs little."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Any] = {}

    def once(self, key: tuple[Any, ...], compute: Callable[[], T]) -> T:
        """compute(), or what it gave before under this key."""
        if key not in self._known:
            self._known[key] = compute()
        known: T = self._known[key]
        return known


@dataclass(frozen=True, slots=True)
class Attempt:
    """Everything that counts in attempt `number` (1, 2, ..), whose id is `ceremony`.

    readies, votes: by receiver's index, dealings by dealer's; readies and dealings with their leaf hash. closes: by
    leaf hash. complaints and reveals: by the complaint's id. confirmed: receivers that published any Confirmation.
    out: those that complained of t dealings. spoilt: dealers whose dealing is void. void: what never counts. final: the
    outcome that q receivers confirmed. failed: no outcome ever will be.
    """

    context: CeremonyContext
    number: int
    ceremony: bytes
    readies: Mapping[int, tuple[bytes, ReadyEntry]]
    dealings: Mapping[int, tuple[bytes, Dealing]]
    closes: Mapping[bytes, Close]
    complaints: Mapping[bytes, Complaint]
    reveals: Mapping[bytes, Reveal]
    votes: Mapping[int, Vote]
    confirmed: frozenset[int]
    out: frozenset[int]
    spoilt: frozenset[int]
    void: tuple[Void, ...]
    final: Outcome | None
    failed: bool

    def undecided(self) -> list[int]:
        """The receivers that may still confirm."""
        return [i for i in self.context.indices if i not in self.confirmed and i not in self.out]

    def undealt(self) -> list[int]:
        """The dealers that may still deal."""
        return [i for i in self.context.dealer_indices if i not in self.dealings and i not in self.spoilt]

    def complaints_under(self, close: Close) -> list[Complaint]:
        """The complaints that may be taken into account by who follows this Close."""
        return [c for c in self.complaints.values() if c.dealer in close.dealers and not c.late]

    def is_answered(self, complaint: Complaint) -> bool:
        """Whether the dealer opened a share that fits its commitments."""
        reveal = self.reveals.get(complaint.id)
        return reveal is not None and reveal.good

    def outcome(self, close: Close, complaints: Sequence[Complaint], checks: Checks) -> Outcome | None:
        """What follows from these complaints and all reveals seen; None where too few dealings qualify."""
        answered = {complaint.id for complaint in complaints if self.is_answered(complaint)}
        return outcome_under(self.context, self.ceremony, close, self.dealings, complaints, answered, checks)


def outcome_under(
    context: CeremonyContext,
    ceremony: bytes,
    close: Close,
    dealings: Mapping[int, tuple[bytes, Dealing]],
    complaints: Iterable[Complaint],
    answered: set[bytes],
    checks: Checks,
) -> Outcome | None:
    """What follows from these complaints, of which some (by id) are answered; None where too few dealings qualify."""
    grievances = [Grievance(c.author, c.dealer, c.id in answered) for c in complaints]
    qualified, dropped = qualify(context, close.dealers, grievances)
    chosen = {dealer: dealings[dealer] for dealer in qualified}

    def compute() -> Outcome | None:
        try:
            return outcome_of(context, ceremony, close.leaf, chosen, dropped)
        except PlimsollError:
            return None

    return checks.once((ceremony, close.leaf, qualified, dropped), compute)
