"""One member in a key ceremony (protocol, section 5), as dealer, as receiver or both: a state machine without I/O.

At the founding all custodians are both. Rules it keeps:

1. What it must remember is persisted before anything that rests on it is published: an Append follows its Persist.
2. It never publishes a second Ready, Dealing, Close or Confirmation in an attempt. What its log holds, settled or not,
   goes before what it remembers; what it remembers and its log lacks is appended again, the same bytes.
3. It deals once all receivers are ready, in a resharing if it holds a share to deal. It confirms once, and only what it
   holds every share of.
4. It opens fewer shares of its dealing than make its polynomials, whoever complains.
5. Once the keys are final and its shares persisted, the key they were sealed to is erased; shares it dealt are erased
   as their receivers confirm.
6. With its secrets lost, it says that it will confirm nothing, instead of holding up the others.
7. What it deals in a resharing it is handed at each step and never persists: `keeper` has it in its own place.

The driver calls `step` with every new entry and at the time `due`, executes the actions in order, each done before the
next, and lets the next call see what was appended. After a crash anywhere, or an action that failed, it makes a new
Participant of the bytes last persisted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from ledger.ceremony.actions import Action, Append, Erase, Installed, Persist
from ledger.ceremony.attempt import Attempt, Checks
from ledger.ceremony.choices import Choices, giving_up
from ledger.ceremony.context import CeremonyContext, readies_digest
from ledger.ceremony.dealing import deal
from ledger.ceremony.entry import (
    Body,
    CeremonyEntry,
    ComplaintEntry,
    ConfirmationEntry,
    DealingEntry,
    ReadyEntry,
    RevealEntry,
    parse_body,
)
from ledger.ceremony.patience import Patience, Timing
from ledger.ceremony.received import Received
from ledger.ceremony.replay import Ceremony, replay
from ledger.ceremony.share_sealing import generate_key, public_key
from ledger.ceremony.state import ParticipantState
from ledger.errors import InvalidInput
from ledger.keys import SecretShares

# Two entries of one author in one slot say the same thing twice, or contradict each other.
_Slot = tuple[type[Body], bytes]
_READY: _Slot = (ReadyEntry, b"")
_DEALING: _Slot = (DealingEntry, b"")
_CONFIRMATION: _Slot = (ConfirmationEntry, b"")


class Participant:
    """Member `name` in the context's ceremony."""

    def __init__(
        self,
        context: CeremonyContext,
        name: str,
        rng: Callable[[int], bytes],
        timing: Timing | None = None,
        state: bytes | None = None,
        checks: Checks | None = None,
    ) -> None:
        """state: the bytes last persisted, None if there never were any or they are lost. checks: as for `replay`.

        Raises InvalidInput for who is neither dealer nor receiver, and for a state that is none of this ceremony.
        """
        self._context = context
        self._name = name
        self._index = context.index_of(name)  # as receiver, 0 for none
        self._dealer = context.dealer_index_of(name)  # as dealer, 0 for none
        if name not in context.members:
            raise InvalidInput("NOT_A_CUSTODIAN", "only custodians take part in a key ceremony", "name")
        self._rng = rng
        self._timing = timing or Timing()
        self._state = None if state is None else ParticipantState.from_bytes(state)
        if self._state and self._state.ceremony != context.ceremony_id(self._state.attempt):
            raise InvalidInput("OTHER_CEREMONY", "the stored state is that of another key ceremony")
        self._patience = Patience()
        self._checks = checks or Checks()
        self._received = Received(self._index)
        self._ceremony: Ceremony | None = None
        self._held: SecretShares | None = None
        self._has_told = False
        self._has_erased = False

    @property
    def ceremony(self) -> Ceremony | None:
        """Where the ceremony stands, as of the last step."""
        return self._ceremony

    @property
    def shares(self) -> SecretShares | None:
        """This receiver's shares, once the keys are final."""
        return self._state.shares if self._state else None

    @property
    def due(self) -> float | None:
        """When (Unix seconds) to call `step` next even if no entry arrives; None: not before one does."""
        return self._patience.due

    @property
    def is_lost(self) -> bool:
        """Whether, as of the last step, what the others sealed to this custodian cannot be opened any more."""
        return bool(self._ceremony and self._state and _is_lost(self._index, self._state, self._ceremony.current))

    def step(self, entries: Iterable[CeremonyEntry], now: float, held: SecretShares | None = None) -> list[Action]:
        """What to do next. entries: as `ceremony.replay` takes them, all of this member's own. now: Unix seconds. held:
        its shares of the epoch that is dealt from; without them it does not deal in a resharing.

        Raises Unverified if the shares held or stored do not fit the final keys, which only a damaged state brings
        about.
        """
        self._held = held
        known = list(entries)
        self._ceremony = replay(self._context, known, self._checks)
        self._patience.look(now)
        attempt = self._ceremony.current
        mine = [e.body for e in known if e.author == self._name and e.body.ceremony == attempt.ceremony]
        posted = {_slot(body) for body in mine}
        if self._state is None or self._state.attempt < attempt.number:
            return self._enter(attempt, posted)
        if self._state.attempt > attempt.number:
            return []  # the logs seen so far are behind what was seen before
        again: list[Action] = [Append(raw) for raw in self._state.entries if _slot(parse_body(raw)) not in posted]
        return again or self._advance(self._state, attempt, posted)

    def _enter(self, attempt: Attempt, posted: Collection[_Slot]) -> list[Action]:
        """Begins an attempt, as receiver with a fresh key."""
        before = self._state
        if not self._index or _READY in posted:
            # A receiver was here before and has forgotten it. A dealer forgets what it dealt in the last attempt.
            self._state = ParticipantState(attempt.ceremony, attempt.number)
            forget: list[Action] = [Persist(self._state.to_bytes()), Erase()] if before else []
            return [*forget, *self._advance(self._state, attempt, posted)]
        if not self._patience.is_over(attempt.ceremony, self._timing.before_attempt(attempt.number)):
            return []
        private = generate_key(self._rng)
        ready = ReadyEntry(attempt.ceremony, public_key(private)).encode(self._time())
        self._state = ParticipantState(attempt.ceremony, attempt.number, private, entries=(ready,))
        self._received.forget()
        erase: list[Action] = [Erase()] if before else []
        return [Persist(self._state.to_bytes()), *erase, Append(ready)]

    def _advance(self, before: ParticipantState, attempt: Attempt, posted: Collection[_Slot]) -> list[Action]:
        def bundle(dealer: int) -> bytes | None:
            return self._received.bundle(attempt, dealer, before.hpke_private)

        choices = Choices(attempt, self._index, self._timing, self._patience, self._checks, bundle, self._dealer)
        state, bodies = self._say(before, attempt, choices, posted)
        raws = tuple(body.encode(self._time()) for body in bodies)
        state = self._settle(replace(state, entries=state.entries + raws), attempt, choices)
        actions: list[Action] = []
        if state != before:
            self._state = state
            actions.append(Persist(state.to_bytes()))
        if attempt.final and state.shares and not self._has_told:
            state.shares.check_fit(attempt.final.keys)
            self._has_told = True
            actions.append(Installed(attempt.final.keys, state.shares))
        # Once by each Participant, as the one before may have ended between its last Persist and the Erase.
        if _holds_less(state, before) or (attempt.final and not state.hpke_private and not self._has_erased):
            self._has_erased = True
            actions.append(Erase())
        return [*actions, *map(Append, raws)]

    def _say(
        self, state: ParticipantState, attempt: Attempt, choices: Choices, posted: Collection[_Slot]
    ) -> tuple[ParticipantState, list[Body]]:
        """What to publish now, and the state that it rests on."""
        lost = _is_lost(self._index, state, attempt)
        if self._may_deal(attempt, lost) and _DEALING not in posted and not choices.has_working_close():
            return self._deal(state, attempt)
        bodies: list[Body] = [*choices.reveals(state.bundles, {key for kind, key in posted if kind is RevealEntry})]
        if self._index:
            bodies += self._receive(state, attempt, choices, posted, lost)
        return state, [body for body in bodies if _slot(body) not in posted]

    def _receive(
        self, state: ParticipantState, attempt: Attempt, choices: Choices, posted: Collection[_Slot], lost: bool
    ) -> list[Body]:
        """What it has to say as receiver."""
        bodies: list[Body] = []
        if close := choices.close():
            bodies.append(close)
        if lost and not attempt.final:
            bodies.append(giving_up(attempt))
        elif not lost and not state.shares and _CONFIRMATION not in posted:
            complaints = [body for body in choices.complaints() if _slot(body) not in posted]
            bodies += complaints
            if not complaints and (confirmation := choices.confirmation()):
                bodies.append(confirmation)
        return bodies

    def _may_deal(self, attempt: Attempt, lost: bool) -> bool:
        if not self._dealer or len(attempt.readies) < self._context.size:
            return False
        return self._held is not None if self._context.former else not lost

    def _deal(self, state: ParticipantState, attempt: Attempt) -> tuple[ParticipantState, list[Body]]:
        readies = [attempt.readies[i] for i in self._context.indices]
        keys = [ready.hpke_key for _, ready in readies]
        if self._context.former and self._held:
            self._held.check_fit(self._context.former.keys)
        held = self._held if self._context.former else None
        dealing, bundles = deal(attempt.ceremony, self._dealer, self._context.threshold, keys, self._rng, held)
        sealed_to = readies_digest(attempt.ceremony, [leaf for leaf, _ in readies])
        body = DealingEntry(
            attempt.ceremony, sealed_to, dealing.commitments, dealing.possessions, dealing.sealed_shares
        )
        return replace(state, bundles=dict(zip(self._context.indices, bundles, strict=True))), [body]

    def _settle(self, state: ParticipantState, attempt: Attempt, choices: Choices) -> ParticipantState:
        """With the keys final: takes the shares and forgets what is of no more use."""
        final = attempt.final
        if final is None:
            return state
        if state.shares is None and choices.holds(final):
            shares = self._received.sum_up(attempt, final, state.hpke_private)
            state = replace(state, shares=shares, hpke_private=b"")
        if self._index in final.dropped:
            state = replace(state, hpke_private=b"")
        if not state.hpke_private:
            self._received.forget()
        owed = set(self._context.indices) - attempt.confirmed - {self._index, *final.dropped}
        if self._dealer not in final.qualified:
            owed = set()
        return replace(state, bundles={j: bundle for j, bundle in state.bundles.items() if j in owed})

    def _time(self) -> int:
        return max(0, int(self._patience.now))


def _slot(body: Body) -> _Slot:
    if isinstance(body, ComplaintEntry):
        return ComplaintEntry, body.dealing
    if isinstance(body, RevealEntry):
        return RevealEntry, body.complaint
    return type(body), b""


def _is_lost(index: int, state: ParticipantState, attempt: Attempt) -> bool:
    if state.shares or index not in attempt.readies:
        return False
    _, ready = attempt.readies[index]
    return not state.hpke_private or public_key(state.hpke_private) != ready.hpke_key


def _holds_less(after: ParticipantState, before: ParticipantState) -> bool:
    """Whether secrets were left out."""
    return (bool(before.hpke_private) and not after.hpke_private) or bool(set(before.bundles) - set(after.bundles))
