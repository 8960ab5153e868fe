"""What the members say the logs are: every one's signed heads, held against the logs as they were read.

A member that shows one log to some and another to others is found out here, as long as one of those asked was shown
the other one. Heads that come with enough cosignatures have been witnessed; two of these that conflict show that others
have helped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from client.audit.follower import Follower
from client.audit.logs import LogId, by_origin
from client.audit.report import Finding
from ledger import merkle
from ledger.checkpoint import Head, SignedHead, open_head, parse_head_text
from ledger.cosigned import double_cosigners, open_cosigned, seats, verify_witnessed_in
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.history import History
from ledger.note import parse_note

Consistency = Callable[[str, int, int], list[bytes]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A verified head of `author`'s log, as `witness` holds it. witnessed: enough members have cosigned it."""

    witness: str
    author: str
    signed: SignedHead
    witnessed: bool = False

    @property
    def head(self) -> Head:
        """The size and root claimed."""
        return self.signed.head


def collect(witness: str, heads: Iterable[bytes], history: History) -> tuple[list[Claim], list[Finding]]:
    """The heads that a member's node holds, verified."""
    claims: list[Claim] = []
    findings: list[Finding] = []
    logs = by_origin(history)
    for raw in heads:
        try:
            claims.append(_claim(witness, raw, history, logs))
        except PlimsollError as error:
            findings.append(Finding.because(witness, None, error))
    return claims, findings


def compare(claim: Claim, follower: Follower, consistency: Consistency) -> None:
    """Holds a claim against the log as read. consistency: asks the witness. Raises Unverified (FORK), InvalidInput,
    and what `consistency` does."""
    read, head = follower.head, claim.head
    if head.size <= read.size:
        if follower.root_at(head.size) != head.root:
            raise Unverified(
                "FORK", f"{claim.witness} holds another log of {claim.author}: its root at size {head.size}"
            )
        return
    path = consistency(head.origin, read.size, head.size) if read.size else []
    try:
        merkle.verify_consistency(read.size, read.root, head.size, head.root, tuple(path))
    except Unverified as error:
        raise Unverified(
            "FORK", f"what {claim.witness} holds of {claim.author} does not continue what was read"
        ) from error


def is_witnessed(note: bytes, history: History) -> bool:
    """Whether these bytes are a witnessed head."""
    try:
        verify_witnessed_in(note, history)
    except PlimsollError:
        return False
    return True


def conflict(one: bytes, other: bytes, history: History) -> Unverified:
    """What two witnessed heads of one log come to of which neither extends the other: the notes name who helped."""
    both = ", ".join(_cosigned_both(one, other, history)) or "nobody under one manifest"
    return Unverified("CONFLICTING_WITNESSES", f"two conflicting heads have been witnessed; cosigned by both: {both}")


def _cosigned_both(one: bytes, other: bytes, history: History) -> tuple[str, ...]:
    """Whose cosignatures stand on both notes, by the newest manifest under which somebody's do."""
    for manifest, author in seats(history, parse_head_text(parse_note(one).text).origin):
        try:
            known, conflicting = (open_cosigned(note, manifest, author) for note in (one, other))
        except Unverified:  # under other cosigning keys
            continue
        if names := double_cosigners(known, conflicting, manifest):
            return names
    return ()


def _claim(witness: str, raw: bytes, history: History, logs: Mapping[str, LogId]) -> Claim:
    origin = parse_head_text(parse_note(raw).text).origin
    if origin not in logs:
        raise InvalidInput("UNKNOWN_LOG", "a head of a log that is no member's")
    log = logs[origin]
    signed = open_head(raw, log.key)
    return Claim(witness, log.member, signed, len(signed.note.signatures) > 1 and is_witnessed(raw, history))
