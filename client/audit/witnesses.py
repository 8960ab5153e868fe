"""What the members say the logs are: every one's signed heads, held against the logs as they were read.

A member that shows one log to some and another to others is found out here, as long as one of those asked was shown
the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from client.audit.follower import Follower
from client.audit.report import Finding
from client.sdk import Session
from ledger import merkle
from ledger.checkpoint import Head, SignedHead, open_head, parse_head_text
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.manifest import Manifest
from ledger.note import parse_note

Consistency = Callable[[str, int, int], list[bytes]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A verified head of `author`'s log, as `witness` holds it."""

    witness: str
    author: str
    signed: SignedHead

    @property
    def head(self) -> Head:
        """The size and root claimed."""
        return self.signed.head


def collect(witness: str, session: Session, manifest: Manifest) -> tuple[list[Claim], list[Finding]]:
    """The heads that a member's node holds, verified. Raises PlimsollError where the node does not answer."""
    claims: list[Claim] = []
    findings: list[Finding] = []
    authors = {manifest.origin(member.name): member.name for member in manifest.members}
    for raw in session.heads():
        try:
            claims.append(_claim(witness, raw, manifest, authors))
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


def _claim(witness: str, raw: bytes, manifest: Manifest, authors: Mapping[str, str]) -> Claim:
    origin = parse_head_text(parse_note(raw).text).origin
    if origin not in authors:
        raise InvalidInput("UNKNOWN_LOG", "a head of a log that is no member's")
    author = authors[origin]
    return Claim(witness, author, open_head(raw, manifest.log_key(author)))
