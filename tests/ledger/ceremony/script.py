"""A ceremony played by hand, entry by entry, right or wrong, without participants."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import cache

from ledger.ceremony import Attempt, CeremonyEntry, Checks, Former
from ledger.ceremony.attempt import Posted
from ledger.ceremony.context import CeremonyContext, complaint_id, readies_digest
from ledger.ceremony.dealing import Dealing, deal
from ledger.ceremony.entry import (
    Body,
    CloseEntry,
    ComplaintEntry,
    ConfirmationEntry,
    DealingEntry,
    ReadyEntry,
    RevealEntry,
)
from ledger.ceremony.judge import judge
from ledger.ceremony.share_sealing import public_key
from ledger.keys import SecretShares
from ledger.tlog import merkle
from tests.ledger.ceremony.simulation import custodians, make_context, shared_keys
from tests.ledger.group_strategies import seeded

Change = Callable[[DealingEntry], DealingEntry]


def private_key(index: int) -> bytes:
    return bytes([index]) * 32


@cache
def dealt(
    ceremony: bytes, dealer: int, threshold: int, size: int, held: SecretShares | None = None
) -> tuple[Dealing, tuple[bytes, ...]]:
    """The dealing of a dealer, and the bundles in it; made once, as it takes milliseconds."""
    keys = [public_key(private_key(j)) for j in range(1, size + 1)]
    return deal(ceremony, dealer, threshold, keys, seeded(dealer), held)


class Script:
    """Each method appends one entry to a custodian's log and gives its leaf hash."""

    def __init__(
        self, size: int = 4, threshold: int = 3, attempt: int = 1, former: tuple[int, int] | None = None
    ) -> None:
        """former: size and threshold of the dealers in a resharing. Dealer i and receiver i share a log."""
        self.context: CeremonyContext = make_context(size, threshold, 2 if former else 1)
        self.held: dict[int, SecretShares] = {}
        if former:
            keys, held = shared_keys(*former, seeded(77))
            self.held = {share.index: share for share in held}
            self.context = replace(self.context, former=Former(custodians(former[0]), former[1], keys))
        self.number = attempt
        self.ceremony = self.context.ceremony_id(attempt)
        self.logs: dict[int, list[Posted]] = {i: [] for i in range(1, len(self.context.members) + 1)}
        self.checks = Checks()

    def post(self, author: int, body: Body, time: int = 1) -> bytes:
        leaf = merkle.leaf_hash(body.encode(time))
        self.logs[author].append(Posted(author, len(self.logs[author]), leaf, body))
        return leaf

    def ready(self, author: int) -> bytes:
        return self.post(author, ReadyEntry(self.ceremony, public_key(private_key(author))))

    def all_ready(self) -> Script:
        for i in self.context.indices:
            self.ready(i)
        return self

    def dealt(self, dealer: int) -> tuple[Dealing, tuple[bytes, ...]]:
        return dealt(self.ceremony, dealer, self.context.threshold, self.context.size, self.held.get(dealer))

    def dealing_of(self, dealer: int) -> Dealing:
        return self.dealt(dealer)[0]

    def bundle(self, dealer: int, receiver: int) -> bytes:
        return self.dealt(dealer)[1][receiver - 1]

    def dealing_entry(self, dealer: int) -> DealingEntry:
        dealing = self.dealing_of(dealer)
        sealed_to = readies_digest(self.ceremony, [self.logs[i][0].leaf for i in self.context.indices])
        return DealingEntry(self.ceremony, sealed_to, dealing.commitments, dealing.possessions, dealing.sealed_shares)

    def deal(self, dealer: int, change: Change = lambda entry: entry) -> bytes:
        return self.post(dealer, change(self.dealing_entry(dealer)))

    def all_dealt(self) -> Script:
        self.all_ready()
        for i in self.context.dealer_indices:
            self.deal(i)
        return self

    def leaf_of(self, author: int, kind: type[Body]) -> bytes:
        """Of the author's first entry of this kind."""
        return next(p.leaf for p in self.logs[author] if isinstance(p.body, kind))

    def close(self, author: int, dealers: Iterable[int] | None = None) -> bytes:
        counted = self.context.dealer_indices if dealers is None else dealers
        return self.post(author, CloseEntry(self.ceremony, tuple(self.leaf_of(d, DealingEntry) for d in counted)))

    def complain(self, author: int, dealer: int, closer: int = 1, time: int = 1) -> bytes:
        """Gives the complaint's id."""
        close, dealing = self.leaf_of(closer, CloseEntry), self.leaf_of(dealer, DealingEntry)
        leaf = self.post(author, ComplaintEntry(self.ceremony, close, dealing), time)
        return complaint_id(self.ceremony, author, leaf)

    def reveal(self, dealer: int, complaint: bytes, receiver: int) -> bytes:
        return self.post(dealer, RevealEntry(self.ceremony, complaint, self.bundle(dealer, receiver)))

    def vote(
        self, closer: int = 1, complaints: Collection[bytes] = (), reveals: Collection[bytes] = ()
    ) -> ConfirmationEntry:
        """The right Confirmation for these."""
        attempt = self.judge()
        close = attempt.closes[self.leaf_of(closer, CloseEntry)]
        seen = replace(attempt, reveals={c: r for c, r in attempt.reveals.items() if r.leaf in reveals})
        outcome = seen.outcome(close, [attempt.complaints[c] for c in complaints], self.checks)
        assert outcome is not None
        return ConfirmationEntry(
            self.ceremony, close.leaf, tuple(sorted(complaints)), tuple(sorted(reveals)), outcome.digest
        )

    def confirm(self, *authors: int, vote: ConfirmationEntry | None = None) -> None:
        entry = vote or self.vote()
        for author in authors:
            self.post(author, entry)

    def judge(self, lengths: Sequence[int] | None = None) -> Attempt:
        """Judged with only so many entries of each log, all where None."""
        posted = [p for i, log in self.logs.items() for p in (log if lengths is None else log[: lengths[i - 1]])]
        return judge(self.context, self.number, posted, self.checks)

    def reasons(self) -> dict[int, str]:
        """Why entries are void, by author."""
        return {void.author: void.reason for void in self.judge().void}

    def entries(self) -> list[CeremonyEntry]:
        names = self.context.members
        return [CeremonyEntry(names[p.author - 1], p.index, p.leaf, p.body) for log in self.logs.values() for p in log]
