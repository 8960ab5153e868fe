"""The Challenges and answers in the logs, and what has become of each (docs/protocol.md, section 19)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from client.audit.reading.kept import Kept
from ledger.chain.entries import Kind
from ledger.challenges.challenge import Challenge, ChallengeAnswer, is_challengeable
from ledger.challenges.challenged import MAX_COUNTED, Prover
from ledger.challenges.settling import SETTLING
from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.bands import Bands
from ledger.tlog import merkle

#: Answers of one log that are kept, without their proofs.
MAX_ANSWERS = 10_000

OPEN, EXPIRED, ANSWERED, VOID = "open", "expired", "answered", "void"

Fetch = Callable[[str, int], bytes]
"""An entry of a log, by its origin, and its index, verified."""


class Challenges:
    """Of one log: its newest challenges, as many as count, and where the first answer for each record stands."""

    def __init__(self) -> None:
        self.raised: deque[tuple[int, Challenge]] = deque(maxlen=MAX_COUNTED)
        self.answers: dict[bytes, int] = {}

    def take(self, index: int, code: int, entry: bytes) -> None:
        """A sound entry of either kind, as it stands at `index`."""
        if code == Kind.CHALLENGE:
            self.raised.append((index, Challenge.parse(entry)))
        elif code == Kind.CHALLENGE_ANSWER and len(self.answers) < MAX_ANSWERS:
            self.answers.setdefault(ChallengeAnswer.parse(entry).leaf, index)

    def kept(self) -> Iterator[Kept]:
        """What to go on from."""
        for index, challenge in self.raised:
            entry = challenge.encode()
            yield Kept(index, merkle.leaf_hash(entry), entry)
        for leaf, index in self.answers.items():
            yield Kept(index, leaf, ChallengeAnswer(0, leaf, b"\0").encode())


@dataclass(frozen=True, slots=True)
class OfLog:
    """What was read of one log. size: how many entries it has."""

    member: str
    origin: str
    size: int
    challenges: Challenges


def told(
    logs: Sequence[OfLog], fetch: Fetch, prover: Prover | None, bands: Bands, now: int | None
) -> list[dict[str, Any]]:
    """Of every challenge: by whom (`by`, `index`, `time`), whom it names (`member`, `origin`, `position`), its `state`.

    prover: None before there are keys. now: Unix seconds. *void*: it names no open position in another's log.
    *answered*: the author has proved it well-formed. *expired*: it has not, a day after the challenge by the
    challenger's own clock: it is left out of sums once that was witnessed. *open*: all others.
    """
    by_origin = {log.origin: log for log in logs}
    judge = _Judge(logs, fetch, prover, bands)
    found = []
    for log in logs:
        for index, challenge in log.challenges.raised:
            author = by_origin.get(challenge.origin)
            state = VOID if author is None or author.member == log.member else judge.state(challenge, author)
            if state == OPEN and now is not None and now - challenge.time >= SETTLING:
                state = EXPIRED
            found.append(
                {
                    "by": log.member,
                    "index": index,
                    "time": challenge.time,
                    "member": "" if author is None else author.member,
                    "origin": challenge.origin,
                    "position": challenge.index,
                    "state": state,
                }
            )
    return found


class _Judge:
    def __init__(self, logs: Sequence[OfLog], fetch: Fetch, prover: Prover | None, bands: Bands) -> None:
        self._logs = logs
        self._fetch = fetch
        self._prover = prover
        self._bands = bands

    def state(self, challenge: Challenge, author: OfLog) -> str:
        """VOID, OPEN or ANSWERED."""
        if challenge.index >= author.size:
            return VOID
        try:
            entry = self._fetch(challenge.origin, challenge.index)
            if not is_challengeable(entry, challenge.leaf):
                return VOID
            return ANSWERED if self._is_proved(author.member, entry, challenge.leaf) else OPEN
        except PlimsollError:  # what the source does not hand out is a finding of its own
            return OPEN

    def _is_proved(self, member: str, entry: bytes, leaf: bytes) -> bool:
        places = [(log, log.challenges.answers[leaf]) for log in self._logs if leaf in log.challenges.answers]
        place = next(((log.origin, index) for log, index in places if log.member == member), None)
        if place is None or self._prover is None:
            return False
        try:
            answer = ChallengeAnswer.parse(self._fetch(*place))
        except InvalidInput:
            return False
        return answer.leaf == leaf and self._prover.is_wellformed(member, entry, answer.proof, self._bands)
