"""Frozen logs in a query (protocol, 9: Q11 and Q12): an inquiry and whoever answers it must agree which logs are frozen
and how much of each counts.

A frozen log counts as far as it was witnessed. What of it an inquiry uses is fixed in the inquiry, with the witnessed
head beside the request, so that the sums do not depend on which branch a custodian came to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from ledger.chain.logview import TreeView
from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput, PlimsollError, Refused, Unavailable, Unready, Unverified
from ledger.queries.question import Question
from ledger.tlog.checkpoint import Head
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.witnessing.cosigned import verify_witnessed_in


class Freezing(Protocol):
    """What a node knows of logs that are frozen. All by origin."""

    def frozen(self, origin: str) -> bool:
        """Whether evidence of a fork is held."""

    def conflicting(self, origin: str) -> bool:
        """Whether two heads that conflict are known to have been witnessed. Such a log is frozen, too."""

    def witnessed(self, origin: str) -> bytes:
        """The note, with cosignatures, of the largest head known to be witnessed; empty where none is."""


class NothingFrozen:
    """For who has never seen a fork."""

    def frozen(self, origin: str) -> bool:
        """Never."""
        return False

    def conflicting(self, origin: str) -> bool:
        """Never."""
        return False

    def witnessed(self, origin: str) -> bytes:
        """Nothing."""
        return b""


HeldBefore = Callable[[str], int]
"""Of a log, by name: how many entries were held here policy.heads_seconds ago; of a frozen one, the size of the largest
head that was then known here to be witnessed."""


def check_frozen(question: Question, freezing: Freezing, history: History) -> None:
    """Q11 and Q12, but for sizes that went back, which are part of Q6.

    Raises Refused (FROZEN: another log is frozen, ask anew), Unavailable (NOT_FROZEN: not known here yet),
    InvalidInput or Unverified (NOT_WITNESSED).
    """
    manifest, inquiry = question.manifest, question.asked.inquiry
    for place, member in enumerate(manifest.members):
        origin = manifest.origin(member.name)
        conflicts = freezing.conflicting(origin)
        _compare(member.name, "FROZEN", conflicts or freezing.frozen(origin), place in inquiry.frozen, "frozen")
        _compare(member.name, "CONFLICTING_WITNESSES", conflicts, place in inquiry.conflicting, "conflicting")
    for number, (place, note) in enumerate(zip(inquiry.frozen, question.witnessed, strict=True)):
        if place not in inquiry.conflicting:
            _check_witnessed(question, place, note, history, f"witnessed[{number}]")


def check_not_frozen(manifest: Manifest, querier: str, freezing: Freezing) -> None:
    """Whoever has signed two histories asks nothing: each of its inquiries could have a twin. Raises Unverified."""
    if freezing.frozen(manifest.origin(querier)):
        raise Unverified("FORK", f"the log of {querier} has two histories and is frozen")


def known(manifest: Manifest, freezing: Freezing) -> Iterator[tuple[int, bool]]:
    """The places of the members whose logs are frozen, and whether conflicting heads of them were witnessed."""
    for place, member in enumerate(manifest.members):
        origin = manifest.origin(member.name)
        conflicts = freezing.conflicting(origin)
        if conflicts or freezing.frozen(origin):
            yield place, conflicts


def _compare(member: str, code: str, here: bool, there: bool, path: str) -> None:
    if here and not there:
        raise Refused(code, f"the log of {member} is frozen: ask again without what is beyond", path)
    if there and not here:
        raise Unavailable("NOT_FROZEN", f"that the log of {member} is frozen is not known here yet: ask again", path)


def _check_witnessed(question: Question, place: int, note: bytes, history: History, path: str) -> None:
    """The head that counts is one that was witnessed, under whichever manifest that was."""
    head = question.heads[place]
    if not note:
        if head.size or head.root != EMPTY_ROOT:
            raise InvalidInput("NOT_WITNESSED", "without a witnessed head a frozen log counts at size 0", path)
        return
    try:
        signed, _, _ = verify_witnessed_in(note, history)
    except PlimsollError as error:
        raise Unverified("NOT_WITNESSED", error.message, path) from error
    if signed.head != head:
        raise Unverified("NOT_WITNESSED", "the witnessed head is not the one in the inquiry", path)


def head_of_frozen(note: bytes, origin: str, log: TreeView, history: History) -> Head:
    """The head at which a frozen log counts. note: what `Freezing.witnessed` says; log: the asker's replica.

    Raises Unready where the replica is of another branch or too short, and as `verify_witnessed_in`.
    """
    if not note:
        return Head(origin, 0, EMPTY_ROOT)
    head = verify_witnessed_in(note, history)[0].head
    if head.origin != origin or log.size < head.size or log.root_at(head.size) != head.root:
        raise Unready("OTHER_BRANCH", f"what was witnessed of {origin} is not what is held: fetch it anew")
    return head
