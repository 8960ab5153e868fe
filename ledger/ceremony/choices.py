"""What an honest receiver or dealer publishes next in a key ceremony, apart from its Ready and its Dealing.

None of this decides what counts (`judge` does): it only makes honest receivers agree more often than not.

- Close: the lowest index first, the others a turn later each. One more where what is closed has come to nothing.
- The Close followed: of those that still work, the one with the most votes, then that of the lowest author.
- Confirmation: what others confirmed, where nothing speaks against it: either t others did, of whom one is honest, or
  it leaves out every dealing this receiver would leave out. Else what follows from the complaints that arrived in
  time, after waiting for their answers. Never without a good share of every dealing it qualifies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

from ledger.ceremony.attempt import Attempt, Checks, Close, Complaint
from ledger.ceremony.entry import CloseEntry, ComplaintEntry, ConfirmationEntry, RevealEntry
from ledger.ceremony.patience import Patience, Timing
from ledger.ceremony.qualification import GIVEN_UP, Grievance, Outcome, qualify


class Choices:
    """The choices of receiver `index` and dealer `dealer` (0 where it is none) at one moment.

    bundle: gives its good share of a dealer's dealing, or None.
    """

    def __init__(
        self,
        attempt: Attempt,
        index: int,
        timing: Timing,
        patience: Patience,
        checks: Checks,
        bundle: Callable[[int], bytes | None],
        dealer: int,
    ) -> None:
        self._attempt = attempt
        self._index = index
        self._dealer = dealer
        self._timing = timing
        self._patience = patience
        self._checks = checks
        self._bundle = bundle
        self._dealings_needed = attempt.context.dealer_threshold
        self._turn = (index - 1) * timing.turn
        for leaf in attempt.closes:
            patience.since(leaf)
        for identity in attempt.complaints:
            patience.since(identity)

    def holds(self, outcome: Outcome) -> bool:
        """Whether this receiver has its share of the keys."""
        if not self._index or self._index in outcome.dropped:
            return False
        return all(self._bundle(dealer) for dealer in outcome.qualified)

    def has_working_close(self) -> bool:
        """Whether nobody needs to deal or close any more."""
        return self._attempt.final is not None or any(
            not self._is_hopeless(close) for close in self._attempt.closes.values()
        )

    def close(self) -> CloseEntry | None:
        """A Close, where it is this receiver's turn."""
        fit = self._fit()
        if self.has_working_close() or len(fit) < self._dealings_needed:
            return None
        if self._attempt.undealt():
            wait = self._timing.reshare_wait if self._attempt.context.former else self._timing.close_wait
            ready = self._patience.is_over(("some dealt", self._attempt.ceremony), wait + self._turn)
        else:
            ready = self._patience.is_over(("all dealt", self._attempt.ceremony), self._turn)
        leaves = tuple(self._attempt.dealings[dealer][0] for dealer in fit)
        return CloseEntry(self._attempt.ceremony, leaves) if ready else None

    def complaints(self) -> Iterator[ComplaintEntry]:
        """One for each dealing that ought to give this receiver a share and does not."""
        close, final = self._followed(), self._attempt.final
        if close is None or self._index in self._attempt.confirmed or (final and self._index in final.dropped):
            return
        missing = [d for d in (final.qualified if final else close.dealers) if self._bundle(d) is None]
        if final and len(missing) >= self._dealings_needed:
            return  # answers to all of these would make its whole share public
        for dealer in missing:
            yield ComplaintEntry(self._attempt.ceremony, close.leaf, self._attempt.dealings[dealer][0])

    def reveals(self, bundles: Mapping[int, bytes], revealed: Collection[bytes]) -> Iterator[RevealEntry]:
        """Answers to the complaints against this dealer's dealing; revealed: ids of those it answered before.

        Fewer in all than the receivers' threshold, as that many bundles are the polynomials; none to who is dropped, as
        fewer than t dealers are to open what they sealed to one receiver.
        """
        left = self._attempt.context.threshold - 1 - len(revealed)
        for complaint in self._attempt.complaints.values():
            owed = complaint.dealer == self._dealer and not complaint.late and complaint.id not in revealed
            if owed and left > 0 and complaint.author not in self._attempt.out and complaint.author in bundles:
                left -= 1
                yield RevealEntry(self._attempt.ceremony, complaint.id, bundles[complaint.author])

    def confirmation(self) -> ConfirmationEntry | None:
        """The one vote, once it is clear what it is."""
        if self._index in self._attempt.out:
            return None
        if self._attempt.final:
            return self._adopted(self._attempt.final) if self.holds(self._attempt.final) else None
        return self._followed_vote() or self._own_vote()

    def _fit(self) -> tuple[int, ...]:
        """The dealers whose dealings a Close should count now."""
        known = [complaint for complaint in self._attempt.complaints.values() if not complaint.late]
        # A complaint that may still be answered does not speak against a dealer yet.
        grievances = [Grievance(c.author, c.dealer, self._is_pending(c) or self._attempt.is_answered(c)) for c in known]
        return qualify(self._attempt.context, set(self._attempt.dealings), grievances)[0]

    def _is_pending(self, complaint: Complaint) -> bool:
        if complaint.id in self._attempt.reveals:
            return False
        return not self._patience.is_over(complaint.id, self._timing.reveal_wait)

    def _timely(self, close: Close) -> list[Complaint]:
        """The complaints to take into account: one's own, and those of others that did not come too late."""
        limit = self._patience.since(close.leaf) + self._timing.settle + self._timing.reveal_wait
        complaints = self._attempt.complaints_under(close)
        return [c for c in complaints if c.author == self._index or self._patience.since(c.id) <= limit]

    def _qualified(self, close: Close) -> set[int]:
        """The dealers that qualify as things stand."""
        grievances = [Grievance(c.author, c.dealer, self._attempt.is_answered(c)) for c in self._timely(close)]
        return set(qualify(self._attempt.context, close.dealers, grievances)[0])

    def _is_hopeless(self, close: Close) -> bool:
        """Whether too few of the dealings it counts qualify, and no answer is to be waited for."""
        if len(self._qualified(close)) >= self._dealings_needed:
            return False
        return not any(self._is_pending(complaint) for complaint in self._timely(close))

    def _followed(self) -> Close | None:
        attempt = self._attempt
        if attempt.final:
            return attempt.closes[attempt.final.close]
        votes = Counter(vote.outcome.close for vote in attempt.votes.values() if vote.outcome)
        working = [close for close in attempt.closes.values() if not self._is_hopeless(close)]
        choice = working or list(attempt.closes.values())
        return min(choice, key=lambda close: (-votes[close.leaf], close.author), default=None)

    def _followed_vote(self) -> ConfirmationEntry | None:
        outcomes = [vote.outcome for vote in self._attempt.votes.values() if vote.outcome]
        votes = Counter(outcome.digest for outcome in outcomes)
        for outcome in sorted(outcomes, key=lambda outcome: -votes[outcome.digest]):
            if self.holds(outcome) and self._is_acceptable(outcome, votes[outcome.digest]):
                return self._adopted(outcome)
        return None

    def _is_acceptable(self, outcome: Outcome, votes: int) -> bool:
        if votes >= self._attempt.context.threshold:
            return True
        settled = self._patience.is_over(outcome.close, self._timing.settle)
        return settled and self._qualified(self._attempt.closes[outcome.close]).issuperset(outcome.qualified)

    def _adopted(self, outcome: Outcome) -> ConfirmationEntry:
        """The same vote as somebody else's."""
        votes = self._attempt.votes.values()
        return next(vote.entry for vote in votes if vote.outcome and vote.outcome.digest == outcome.digest)

    def _own_vote(self) -> ConfirmationEntry | None:
        close = self._followed()
        if close is None or self._is_hopeless(close):
            return self._giving_up()
        complaints = self._timely(close)
        if any(self._is_pending(complaint) for complaint in complaints):
            return None
        if not self._patience.is_over(close.leaf, self._timing.settle + self._turn):
            return None
        outcome = self._attempt.outcome(close, complaints, self._checks)
        if outcome is None or not self.holds(outcome):
            return None
        reveals = [self._attempt.reveals[c.id].leaf for c in complaints if c.id in self._attempt.reveals]
        ids = tuple(sorted(complaint.id for complaint in complaints))
        return ConfirmationEntry(self._attempt.ceremony, close.leaf, ids, tuple(sorted(reveals)), outcome.digest)

    def _giving_up(self) -> ConfirmationEntry | None:
        """Where all have dealt, nobody still has to answer, and too few dealings are left: nothing can come of it."""
        if len(self._fit()) >= self._dealings_needed or (self._attempt.undealt() and not self._is_undealt_for_long()):
            return None
        return giving_up(self._attempt)

    def _is_undealt_for_long(self) -> bool:
        """In a resharing, of whose dealers some may be gone for ever, others are waited for only so long."""
        if self._attempt.context.former is None or not self._attempt.closes:
            return False
        return self._patience.is_over(("too few dealings", self._attempt.ceremony), self._timing.dealer_wait)


def giving_up(attempt: Attempt) -> ConfirmationEntry:
    """The vote for no outcome at all in this attempt."""
    return ConfirmationEntry(attempt.ceremony, bytes(32), (), (), GIVEN_UP)
