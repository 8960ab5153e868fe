"""Loan systems that never give up, and what is true whatever happens: what they were acknowledged, and when.

Amounts are such that a sum over lenders spells out what each contributed: of lender number i, `version << (6 * i)`
minor units, where the version counts the changes of that borrower. A false sum cannot look right.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from plimsoll.v1 import entry_pb2, lender_pb2

from client.credentials import Endpoint
from client.sdk import Session
from ledger.errors import PlimsollError
from tests.cluster import CONSENT, batched
from tests.e2e.feeds import row

BITS = 6
LAST = (1 << BITS) - 1
#: Seconds between two tries of a feed that was not acknowledged.
AGAIN = 0.3


def outstanding(place: int, version: int) -> int:
    """Minor units that the lender at this place has out to a borrower of this version."""
    return version << (BITS * place)


@dataclass(eq=False)
class Lender(threading.Thread):
    """Sends feed after feed; each again until its summary comes back. What is not acknowledged is in doubt."""

    place: int
    endpoint: Endpoint
    borrowers: Sequence[str]
    seed: int
    stop: threading.Event
    #: By borrower: the version last acknowledged.
    acknowledged: dict[str, int] = field(default_factory=dict)
    #: In the feed that was sent last and is not acknowledged yet.
    doubt: set[str] = field(default_factory=set)
    retries: int = 0
    feeds: int = 0
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        rng = random.Random(self.seed)
        with Session(self.endpoint) as session:
            self.feed(session, self.borrowers)
            while not self.stop.is_set():
                changed = [each for each in rng.sample(self.borrowers, 12) if self.acknowledged[each] < LAST]
                self.feed(session, changed)
                time.sleep(rng.uniform(0.0, 0.4))

    def feed(self, session: Session, changed: Sequence[str]) -> None:
        """Until it is acknowledged; then the truth has moved on."""
        wanted = {each: self.acknowledged.get(each, 0) + 1 for each in changed}
        self.doubt = set(wanted)
        rows = [
            row(each, outstanding(self.place, version), credit_limit=0, line=line)
            for line, (each, version) in enumerate(wanted.items(), 2)
        ]
        while (summary := self._send(session, rows)) is None:
            self.retries += 1
            time.sleep(AGAIN)
        assert (summary.accepted, summary.rejected) == (len(rows), 0), summary
        self.acknowledged |= wanted
        self.doubt = set()
        self.feeds += 1

    def _send(self, session: Session, rows: list[lender_pb2.FeedRow]) -> lender_pb2.ReportSummary | None:
        try:
            for response in session.report(batched(rows, 1000)):
                if response.HasField("summary"):
                    return response.summary
        except PlimsollError as error:
            self.errors.append(error.reason)
        return None


@dataclass(frozen=True)
class Told:
    """An answer, and what its asker had been acknowledged for that borrower before it asked."""

    asker: int
    answer: lender_pb2.ExposureResponse
    at_least: int


@dataclass(eq=False)
class Asker(threading.Thread):
    """Asks at one lender's node, about one borrower after the other."""

    lender: Lender
    stop: threading.Event
    told: list[Told] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        rng = random.Random(self.lender.seed + 1)
        with Session(self.lender.endpoint) as session:
            while not self.stop.is_set():
                self.ask(session, rng.choice(self.lender.borrowers))
                time.sleep(rng.uniform(0.0, 0.4))

    def ask(self, session: Session, borrower: str) -> None:
        """One question; kept with its answer."""
        at_least = self.lender.acknowledged.get(borrower, 0)
        try:
            answer = session.exposure(borrower, entry_pb2.PURPOSE_PRE_LOAN, CONSENT)
        except PlimsollError as error:
            self.errors.append(error.reason)
        else:
            self.told.append(Told(self.lender.place, answer, at_least))
