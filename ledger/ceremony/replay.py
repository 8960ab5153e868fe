"""Where a key ceremony stands, replayed from the logs by anybody (protocol, section 5). Needs no secret."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.ceremony.attempt import Attempt, Checks, Posted
from ledger.ceremony.context import CeremonyContext
from ledger.ceremony.entry import DEALERS_KINDS, CeremonyEntry
from ledger.ceremony.judge import judge
from ledger.ceremony.qualification import Outcome
from ledger.keys import PublicKeys

WAITING_FOR_READY = "waiting-for-ready"
DEALING = "dealing"
CLOSING = "closing"
CONFIRMING = "confirming"
FINAL = "final"


@dataclass(frozen=True, slots=True)
class Ceremony:
    """Where a ceremony stands. failed: the attempts before `current` that came to nothing, in order."""

    context: CeremonyContext
    failed: tuple[Attempt, ...]
    current: Attempt

    @property
    def outcome(self) -> Outcome | None:
        """What was agreed, once it is final."""
        return self.current.final

    @property
    def keys(self) -> PublicKeys | None:
        """The public keys, once they are final."""
        return self.current.final.keys if self.current.final else None

    @property
    def phase(self) -> str:
        """One of the five phases, for people."""
        if self.current.final:
            return FINAL
        if len(self.current.readies) < self.context.size:
            return WAITING_FOR_READY
        if self.current.closes:
            return CONFIRMING
        return DEALING if self.current.undealt() else CLOSING

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """The members without whose next entry nothing goes on, or not without a wait; each once."""
        attempt, phase = self.current, self.phase
        if phase == WAITING_FOR_READY:
            return self.context.names([i for i in self.context.indices if i not in attempt.readies])
        if phase == DEALING:
            return self.context.dealer_names(attempt.undealt())
        if phase != CONFIRMING:
            return ()
        silent = {c.dealer for c in attempt.complaints.values() if c.id not in attempt.reveals and not c.late}
        waited = {*self.context.dealer_names(sorted(silent)), *self.context.names(attempt.undecided())}
        return tuple(name for name in self.context.members if name in waited)


def replay(context: CeremonyContext, entries: Iterable[CeremonyEntry], checks: Checks | None = None) -> Ceremony:
    """Judges all ceremony entries seen so far, attempt by attempt.

    entries: in any order of authors, from index 0 of each log without gaps; others' may be among them, and such as do
    not count in this epoch. checks: kept by the caller from call to call (with one context), so that each dealing and
    reveal is verified but once.
    """
    checks = checks or Checks()
    posted: dict[bytes, list[Posted]] = {}
    counting = [entry for entry in entries if entry.until is None or context.epoch <= entry.until]
    for entry in sorted(counting, key=lambda entry: entry.index):
        is_dealers = isinstance(entry.body, DEALERS_KINDS)
        if author := (context.dealer_index_of if is_dealers else context.index_of)(entry.author):
            posted.setdefault(entry.body.ceremony, []).append(Posted(author, entry.index, entry.leaf, entry.body))
    failed: list[Attempt] = []
    while True:
        number = len(failed) + 1
        attempt = _judge(context, number, posted, checks)
        if not attempt.failed:
            return Ceremony(context, tuple(failed), attempt)
        failed.append(attempt)


def _judge(context: CeremonyContext, number: int, posted: dict[bytes, list[Posted]], checks: Checks) -> Attempt:
    of_attempt: Sequence[Posted] = posted.get(context.ceremony_id(number), [])
    return judge(context, number, of_attempt, checks)
