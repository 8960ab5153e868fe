"""Judges one attempt of a key ceremony from its dealers' and receivers' entries (protocol, section 5). Needs no secret.

Logs arrive in any order, so every judgement is monotone: an entry that counts goes on counting, and one found void
stays void, whatever arrives later. What refers to something not seen stays open. A leaf hash alone never voids a
reference: the same bytes may be void in one log and valid in another that has not arrived yet. Of each author the first
entry of a kind counts; a spoilt one is not made good by a second.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from ledger.ceremony import dealing as dealing_rules
from ledger.ceremony.attempt import Attempt, Checks, Close, Complaint, Posted, Reveal, Void, Vote, outcome_under
from ledger.ceremony.context import CeremonyContext, complaint_id, readies_digest
from ledger.ceremony.dealing import Dealing
from ledger.ceremony.entry import (
    DEALERS_KINDS,
    CloseEntry,
    ComplaintEntry,
    ConfirmationEntry,
    DealingEntry,
    ReadyEntry,
    RevealEntry,
)
from ledger.ceremony.qualification import GIVEN_UP, Outcome
from ledger.errors import PlimsollError

B = TypeVar("B")


def judge(context: CeremonyContext, number: int, posted: Sequence[Posted], checks: Checks) -> Attempt:
    """Judges attempt `number` from its entries, of which each author's stand in the order of its log."""
    return _Judge(context, number, posted, checks).attempt()


class _Judge:
    """Kind by kind, as each kind rests on the ones before it."""

    def __init__(self, context: CeremonyContext, number: int, posted: Sequence[Posted], checks: Checks) -> None:
        self._context = context
        self._number = number
        self._ceremony = context.ceremony_id(number)
        self._checks = checks
        self._posted = posted
        self._void: list[Void] = []
        self._readies = {p.author: (p.leaf, body) for p, body in self._firsts(ReadyEntry)}
        self._spoilt: set[int] = set()
        self._dealings = self._judge_dealings()
        self._dealer_of = {leaf: dealer for dealer, (leaf, _) in self._dealings.items()}
        self._closes = self._judge_closes()
        self._confirmed_at = {p.author: p.index for p, _ in self._firsts(ConfirmationEntry)}
        self._complained: Counter[int] = Counter()  # how many dealings each author complained of
        self._complained_in_time: Counter[int] = Counter()  # the same, ahead of its Confirmation
        self._complaints = self._judge_complaints()
        self._reveals = self._judge_reveals()
        self._reveal_by_leaf = {reveal.leaf: reveal for reveal in self._reveals.values()}
        self._votes = self._judge_confirmations()

    def attempt(self) -> Attempt:
        out = frozenset(i for i, number in self._complained.items() if number >= self._context.dealer_threshold)
        final = self._final()
        return Attempt(
            context=self._context,
            number=self._number,
            ceremony=self._ceremony,
            readies=self._readies,
            dealings=self._dealings,
            closes=self._closes,
            complaints=self._complaints,
            reveals=self._reveals,
            votes=self._votes,
            confirmed=frozenset(self._confirmed_at),
            out=out,
            spoilt=frozenset(self._spoilt),
            void=tuple(self._void),
            final=final,
            failed=final is None and self._has_failed(out),
        )

    def _of_kind(self, kind: type[B]) -> Iterator[tuple[Posted, B]]:
        for p in self._posted:
            if isinstance(p.body, kind):
                yield p, p.body

    def _firsts(self, kind: type[B]) -> Iterator[tuple[Posted, B]]:
        seen: set[int] = set()
        for p, body in self._of_kind(kind):
            if p.author not in seen:
                seen.add(p.author)
                yield p, body

    def _firsts_about(self, kind: type[B], about: Callable[[B], bytes], most: int) -> Iterator[tuple[Posted, B]]:
        """Of each author the first entry about each thing, and so many at most: who needs more is up to no good, and
        everybody has to keep and judge them all."""
        seen: defaultdict[int, set[bytes]] = defaultdict(set)
        for p, body in self._of_kind(kind):
            known = seen[p.author]
            if about(body) not in known and len(known) < most:
                known.add(about(body))
                yield p, body

    def _reject(self, p: Posted, reason: str) -> None:
        names = self._context.dealers if isinstance(p.body, DEALERS_KINDS) else self._context.custodians
        self._void.append(Void(p.author, names[p.author - 1], p.leaf, reason))

    def _judge_dealings(self) -> dict[int, tuple[bytes, Dealing]]:
        if len(self._readies) < self._context.size:
            return {}
        expected = readies_digest(self._ceremony, [self._readies[i][0] for i in self._context.indices])
        valid = {}
        for p, body in self._firsts(DealingEntry):
            dealing = Dealing(self._ceremony, p.author, body.commitments, body.possessions, body.sealed_shares)
            # The author is part of the key: the same bytes may be valid in one log and a forgery in another.
            key = (self._ceremony, p.author, p.leaf)
            fault = "OTHER_READIES" if body.readies_digest != expected else ""
            fault = fault or self._checks.once(key, partial(self._fault, dealing))
            if fault:
                self._spoilt.add(p.author)
                self._reject(p, fault)
            else:
                valid[p.author] = (p.leaf, dealing)
        return valid

    def _fault(self, dealing: Dealing) -> str:
        try:
            constants = self._context.constants(dealing.dealer)
            dealing_rules.verify(dealing, self._context.threshold, self._context.size, constants)
        except PlimsollError as error:
            return error.reason
        return ""

    def _judge_closes(self) -> dict[bytes, Close]:
        closes: dict[bytes, Close] = {}
        for p, body in sorted(self._firsts(CloseEntry), key=lambda first: first[0].author):
            dealers = tuple(self._dealer_of.get(leaf, 0) for leaf in body.dealings)
            if len(dealers) < self._context.dealer_threshold:
                self._reject(p, "TOO_FEW_DEALINGS")
            elif 0 in dealers:
                continue  # counts what was not seen
            elif list(dealers) != sorted(set(dealers)):
                self._reject(p, "BAD_ORDER")
            else:
                closes.setdefault(p.leaf, Close(p.leaf, p.author, dealers))
        return closes

    def _judge_complaints(self) -> dict[bytes, Complaint]:
        complaints = {}
        most = len(self._context.dealers)
        for p, body in self._firsts_about(ComplaintEntry, lambda complaint: complaint.dealing, most):
            # Valid or not, each counts towards being dropped: that must not depend on what else has arrived.
            self._complained[p.author] += 1
            late = self._confirmed_at.get(p.author, p.index) < p.index
            self._complained_in_time[p.author] += not late
            dealer, close = self._dealer_of.get(body.dealing), self._closes.get(body.close)
            if dealer is None or close is None:
                continue  # names what was not seen
            if dealer not in close.dealers:
                self._reject(p, "NOT_COUNTED")
                continue
            identity = complaint_id(self._ceremony, p.author, p.leaf)
            complaints[identity] = Complaint(identity, p.author, dealer, late)
        return complaints

    def _judge_reveals(self) -> dict[bytes, Reveal]:
        reveals: dict[bytes, Reveal] = {}
        for p, body in self._firsts_about(RevealEntry, lambda reveal: reveal.complaint, self._context.size):
            complaint = self._complaints.get(body.complaint)
            if complaint is None or complaint.dealer != p.author:
                continue
            key = (self._ceremony, p.author, p.leaf)
            good = self._checks.once(key, partial(self._is_good, complaint, body.bundle))
            reveals[body.complaint] = Reveal(p.leaf, body.complaint, body.bundle, good)
            if not good:
                self._reject(p, "BAD_SHARE")
        return reveals

    def _is_good(self, complaint: Complaint, bundle: bytes) -> bool:
        _, dealing = self._dealings[complaint.dealer]
        try:
            dealing_rules.check_bundle(dealing.commitments, complaint.author, bundle)
        except PlimsollError:
            return False
        return True

    def _judge_confirmations(self) -> dict[int, Vote]:
        votes = {}
        for p, body in self._firsts(ConfirmationEntry):
            reason = self._spoils(p, body)
            outcome = None
            if not reason and self._is_complete(body):
                reason, outcome = self._judge_outcome(body)
            if reason:
                self._reject(p, reason)
            else:
                votes[p.author] = Vote(p.author, body, outcome)
        return votes

    def _spoils(self, p: Posted, body: ConfirmationEntry) -> str:
        if body.transcript == GIVEN_UP:
            return "GIVEN_UP"
        if self._complained_in_time[p.author] >= self._context.dealer_threshold:
            return "DROPPED"
        return ""

    def _is_complete(self, body: ConfirmationEntry) -> bool:
        """Whether everything it refers to has arrived."""
        return (
            body.close in self._closes
            and all(identity in self._complaints for identity in body.complaints)
            and all(leaf in self._reveal_by_leaf for leaf in body.reveals)
        )

    def _judge_outcome(self, body: ConfirmationEntry) -> tuple[str, Outcome | None]:
        close = self._closes[body.close]
        complaints = [self._complaints[identity] for identity in body.complaints]
        reveals = [self._reveal_by_leaf[leaf] for leaf in body.reveals]
        if any(complaint.late or complaint.dealer not in close.dealers for complaint in complaints):
            return "BAD_COMPLAINTS", None
        if any(reveal.complaint not in body.complaints for reveal in reveals):
            return "BAD_REVEALS", None
        answered = {reveal.complaint for reveal in reveals if reveal.good}
        outcome = outcome_under(
            self._context, self._ceremony, close, self._dealings, complaints, answered, self._checks
        )
        if outcome is None or outcome.digest != body.transcript:
            return "OTHER_TRANSCRIPT", None
        return "", outcome

    def _final(self) -> Outcome | None:
        agreed = [vote.outcome for vote in self._votes.values() if vote.outcome is not None]
        numbers = Counter(outcome.digest for outcome in agreed)
        return next((outcome for outcome in agreed if numbers[outcome.digest] >= self._context.quorum), None)

    def _has_failed(self, out: frozenset[int]) -> bool:
        """Whether nothing that may still come can bring q confirmations of one outcome.

        Not before all were ready: else a few receivers could use up attempts without end ahead of the others.
        """
        if len(self._readies) < self._context.size:
            return False
        if len(self._context.dealers) - len(self._spoilt) < self._context.dealer_threshold:
            return True
        undecided = [i for i in self._context.indices if i not in self._confirmed_at and i not in out]
        claims = Counter(vote.entry.transcript for vote in self._votes.values())
        return len(undecided) + max(claims.values(), default=0) < self._context.quorum
