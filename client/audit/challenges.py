"""The Challenges and answers in a log, and what has become of each (docs/protocol.md, section 19)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from ledger.bands import Bands
from ledger.challenge import Challenge, ChallengeAnswer, is_challengeable
from ledger.challenged import Prover
from ledger.entries import Kind
from ledger.errors import PlimsollError
from ledger.settling import SETTLING

#: Challenges and answers of one log that are kept; of one challenger fewer count.
MAX_KEPT = 1000

OPEN, EXPIRED, ANSWERED, VOID = "open", "expired", "answered", "void"


class Challenges:
    """Of one log. raised: index and Challenge, the newest ones. answers: by leaf hash, the first of each."""

    def __init__(self, member: str, origin: str) -> None:
        """member, origin: whose log it is, and which."""
        self.member = member
        self.origin = origin
        self.indices: list[int] = []
        self.raised: list[tuple[int, Challenge]] = []
        self.answers: dict[bytes, ChallengeAnswer] = {}

    def take(self, index: int, code: int, entry: bytes) -> None:
        """A sound entry of either kind, as it stands at `index`."""
        if code == Kind.CHALLENGE:
            self.indices.append(index)
            self.raised.append((index, Challenge.parse(entry)))
            del self.raised[:-MAX_KEPT]
        elif code == Kind.CHALLENGE_ANSWER and len(self.answers) < MAX_KEPT:
            answer = ChallengeAnswer.parse(entry)
            self.answers.setdefault(answer.leaf, answer)


class Read(Protocol):
    """A log that was read whole."""

    @property
    def size(self) -> int:
        """How many entries were read."""

    def entry(self, index: int) -> bytes:
        """An entry's bytes."""


def facts(
    found: Iterable[Challenges], logs: Mapping[str, Read], prover: Prover | None, bands: Bands, now: int
) -> Iterator[dict[str, Any]]:
    """Of every challenge: by whom, where it stands, what it names, and its state.

    logs: by origin. prover: None before there are keys. now: Unix seconds. *void*: it names no position of another's
    log. *answered*: the author has proved it well-formed. *expired*: it has not, a day after the challenge by the
    challenger's own clock. A record of which a challenge has expired is left out of sums once that was witnessed.
    """
    every = list(found)
    authors = {one.origin: one.member for one in every}
    answers = {(one.member, leaf): answer for one in every for leaf, answer in one.answers.items()}
    for one in every:
        for index, challenge in one.raised:
            member = authors.get(challenge.origin, "")
            state = _state(challenge, member, one.member, logs, answers.get((member, challenge.leaf)), prover, bands)
            if state == OPEN and now - challenge.time >= SETTLING:
                state = EXPIRED
            yield {
                "by": one.member,
                "index": index,
                "time": challenge.time,
                "member": member,
                "origin": challenge.origin,
                "position": challenge.index,
                "state": state,
            }


def _state(
    challenge: Challenge,
    member: str,
    by: str,
    logs: Mapping[str, Read],
    answer: ChallengeAnswer | None,
    prover: Prover | None,
    bands: Bands,
) -> str:
    log = logs.get(challenge.origin)
    if log is None or member == by or challenge.index >= log.size:
        return VOID
    try:
        entry = log.entry(challenge.index)
    except PlimsollError:  # the node does not hand it out; that is found and told elsewhere
        return OPEN
    if not is_challengeable(entry, challenge.leaf):
        return VOID
    if answer is None or prover is None or not prover.is_wellformed(member, entry, answer.proof, bands):
        return OPEN
    return ANSWERED
