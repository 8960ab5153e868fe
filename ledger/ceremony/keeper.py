"""One member's shares, epoch after epoch: a state machine without I/O around a `Participant` for each ceremony.

Rules it keeps, besides the participants' own:

1. All secrets of all epochs are one state, persisted as a whole, so that a crash between two epochs leaves the member
   with the shares of one or of both, never of none.
2. It takes part in the newest ceremony and in those it rests on, and in others that are final as long as it has a state
   of them. A ceremony left behind by a later one, which is not dealt from it, gets no more of it, but keeps its state:
   if it ends after all, the shares in it count.
3. Shares of an epoch, and all else of its state, are erased when a later one is final, but not before
   - it holds its own shares of that one, if it should. (A dealer may have sent it none and refuse to open them.)
   - `Retention.grace` is over: questions under way name the epoch they were begun in;
   - all who should hold the new shares have confirmed, or `Retention.stragglers` is over. q confirmations, of which
     some may be false, can be fewer honest ones than the new threshold; till the others have theirs the old shares are
     what nobody can take away;
   - no ceremony that is dealt from them is pending, but for those left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger.ceremony.actions import Erase, KeeperAction, Persist, Retired
from ledger.ceremony.attempt import Checks
from ledger.ceremony.entry import CeremonyEntry
from ledger.ceremony.epochs import Beginning, Epochs, replay_epochs
from ledger.ceremony.keeper_state import KeeperState
from ledger.ceremony.participant import Participant
from ledger.ceremony.patience import Timing
from ledger.ceremony.replay import Ceremony
from ledger.ceremony.state import ParticipantState
from ledger.keys import SecretShares


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds that shares are kept for once those of a later epoch are final, as this member first saw it.

    grace: always; no less than the policy's inquiry_seconds. stragglers: as long as not all have confirmed.
    """

    grace: float
    stragglers: float = 86_400.0


class Keeper:
    """What member `name` holds of the keys. Not for several threads at once."""

    def __init__(
        self,
        name: str,
        rng: Callable[[int], bytes],
        retention: Retention,
        timing: Timing | None = None,
        state: bytes | None = None,
        checks: Checks | None = None,
    ) -> None:
        """state: the bytes last persisted, None if there never were any or they are lost. checks: as for `replay`.

        Raises InvalidInput.
        """
        self._name = name
        self._rng = rng
        self._retention = retention
        self._timing = timing
        stored = KeeperState() if state is None else KeeperState.from_bytes(state)
        self._states = dict(stored.participants)
        self._final_since = dict(stored.final_since)
        self._shares = {epoch: shares for epoch, raw in self._states.items() if (shares := _shares_in(raw))}
        self._participants: dict[int, Participant] = {}
        self._checks = checks or Checks()
        self._epochs: Epochs | None = None
        self._due: list[float] = []
        self._may_have_crashed = state is not None

    @property
    def epochs(self) -> Epochs | None:
        """Where the ceremonies stand, as of the last step."""
        return self._epochs

    @property
    def shares(self) -> Mapping[int, SecretShares]:
        """By epoch, those not erased."""
        return dict(self._shares)

    @property
    def due(self) -> float | None:
        """When (Unix seconds) to call `step` next even if no entry arrives; None: not before one does."""
        return min(self._due, default=None)

    @property
    def is_lost(self) -> bool:
        """Whether, as of the last step, it can no longer have its shares of the epoch in force: reshare."""
        ceremony = self._epochs and self._epochs.in_force
        participant = ceremony and self._participants.get(ceremony.context.epoch)
        return bool(participant and participant.is_lost)

    def step(self, beginnings: Sequence[Beginning], entries: Iterable[CeremonyEntry], now: float) -> list[KeeperAction]:
        """What to do next. As `Participant.step`: each action done, in order, before the next; after a crash, an action
        that failed, or an error of this method itself, a new Keeper of the bytes last persisted.

        beginnings: of all manifests up to the one in force. entries: as `replay_epochs` takes them, all of this
        member's own. now: Unix seconds. Raises InvalidInput for a state that is none of these ceremonies, Unverified
        for shares that do not fit their keys.
        """
        known = list(entries)
        epochs = self._epochs = replay_epochs(beginnings, known, self._checks)
        self._due = []
        # The process before may have ended between its last Persist and the Erase.
        actions: list[KeeperAction] = [Erase()] if self._may_have_crashed else []
        self._may_have_crashed = False
        for ceremony in epochs.ceremonies.values():
            if self._takes_part(ceremony, epochs):
                actions += self._take_part(ceremony, known, now)
        return [*actions, *self._note_final(epochs, now), *self._retire(epochs, now)]

    def _takes_part(self, ceremony: Ceremony, epochs: Epochs) -> bool:
        epoch = ceremony.context.epoch
        if self._name not in ceremony.context.members:
            return False
        if ceremony.keys is None:
            return epoch in epochs.wanted
        return epoch in self._states or ceremony is epochs.in_force

    def _take_part(self, ceremony: Ceremony, known: Sequence[CeremonyEntry], now: float) -> list[KeeperAction]:
        context = ceremony.context
        epoch = context.epoch
        if epoch not in self._participants:
            state = self._states.get(epoch)
            self._participants[epoch] = Participant(context, self._name, self._rng, self._timing, state, self._checks)
        participant = self._participants[epoch]
        held = self._shares.get(context.former.keys.epoch) if context.former else None
        actions: list[KeeperAction] = []
        for action in participant.step(known, now, held):
            if isinstance(action, Persist):
                self._states[epoch] = action.state
                actions.append(self._persist())
            else:
                actions.append(action)
        if participant.shares:
            self._shares[epoch] = participant.shares
        if participant.due is not None:
            self._due.append(participant.due)
        return actions

    def _note_final(self, epochs: Epochs, now: float) -> list[KeeperAction]:
        new = {
            e: int(now) for e in epochs.keys if e not in self._final_since and any(held < e for held in self._states)
        }
        self._final_since |= new
        return [self._persist()] if new else []

    def _retire(self, epochs: Epochs, now: float) -> list[KeeperAction]:
        gone = [held for held in sorted(self._states) if self._may_go(held, epochs, now)]
        for epoch in gone:
            del self._states[epoch]
            self._shares.pop(epoch, None)
            self._participants.pop(epoch, None)
        self._final_since = {e: s for e, s in self._final_since.items() if any(held < e for held in self._states)}
        return [*map(Retired, gone), self._persist(), Erase()] if gone else []

    def _may_go(self, held: int, epochs: Epochs, now: float) -> bool:
        pending = [b for b in epochs.beginnings if b.epoch in epochs.wanted and b.epoch not in epochs.keys]
        if any(beginning.dealt_from == held for beginning in pending):
            return False
        ends = [self._end(ceremony) for epoch, ceremony in epochs.ceremonies.items() if epoch > held and ceremony.keys]
        end = min((end for end in ends if end is not None), default=None)
        if end is not None and end > now:
            self._due.append(end)
        return end is not None and end <= now

    def _end(self, later: Ceremony) -> float | None:
        """When what came before this final epoch may be erased; None: not yet known."""
        outcome, epoch = later.outcome, later.context.epoch
        index = later.context.index_of(self._name)
        if outcome is None or (index and epoch not in self._shares and index not in outcome.dropped):
            return None
        retention = self._retention
        wait = max(retention.grace, retention.stragglers) if later.current.undecided() else retention.grace
        return self._final_since[epoch] + wait

    def _persist(self) -> Persist:
        return Persist(KeeperState(dict(self._states), dict(self._final_since)).to_bytes())


def _shares_in(raw: bytes) -> SecretShares | None:
    return ParticipantState.from_bytes(raw).shares
