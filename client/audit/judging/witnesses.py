"""What the members say the logs are: every one's signed heads, held against the logs as they were read.

A member that shows one log to some and another to others is found out here, as long as one of those asked was shown
the other one. Heads that come with enough cosignatures have been witnessed; two of these that conflict show that others
have helped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from client.audit.reading.follower import Follower
from client.audit.reading.logs import LogId, by_origin
from client.audit.reading.tiles import TILES
from client.audit.report import Finding
from ledger.consortium.history import History
from ledger.consortium.joined import log_name
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, SignedHead, open_head, parse_head_text
from ledger.tlog.note import parse_note
from ledger.witnessing.cosigned import (
    double_cosigners,
    open_cosigned,
    seats,
    spoken_at,
    verify_witnessed_in,
    witnessed_at,
)

Consistency = Callable[[str, int, int], list[bytes]]

_MOST_TOLD = 200  # bytes of a line that was to be an origin


@dataclass(frozen=True, slots=True)
class Claim:
    """A verified head of `author`'s log, as `witness` shows it.

    raw: the note. held: the witness holds everything below it. witnessed_at: by when enough members had cosigned it;
    None where too few have. spoken_at: when the author said that it was its newest. Unix seconds.
    """

    witness: str
    author: str
    signed: SignedHead
    raw: bytes
    held: bool = True
    witnessed_at: int | None = None
    spoken_at: int | None = None

    @property
    def head(self) -> Head:
        """The size and root claimed."""
        return self.signed.head

    @property
    def witnessed(self) -> bool:
        """Whether enough members have cosigned it."""
        return self.witnessed_at is not None


class Collector:
    """Verifies heads that members show. Of notes that several show, which are many, each is verified once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._logs = by_origin(history)
        self._known: dict[bytes, Claim | PlimsollError] = {}

    def collect(self, witness: str, notes: Iterable[bytes], held: bool = True) -> tuple[list[Claim], list[Finding]]:
        """held: whether the witness says that it holds everything below them."""
        claims: list[Claim] = []
        findings: list[Finding] = []
        for raw in notes:
            found = self._claim(raw)
            if isinstance(found, PlimsollError):
                blamed = self._blamed(witness, raw)
                findings.append(Finding(blamed, None, found.reason, f"{_told(raw)}: {found.message}"))
            else:
                claims.append(replace(found, witness=witness, held=held))
        return claims, findings

    def _blamed(self, witness: str, raw: bytes) -> str:
        """Who shows it; a folder is nobody: there it is whose log the first line names."""
        log = self._logs.get(_first_line(raw)) if witness == TILES else None
        return witness if log is None else log.member

    def _claim(self, raw: bytes) -> Claim | PlimsollError:
        if raw not in self._known:
            try:
                self._known[raw] = _claim(raw, self._history, self._logs)
            except PlimsollError as error:
                self._known[raw] = error
        return self._known[raw]


def _told(raw: bytes) -> str:
    """Which log a note that does not hold is of, by its first line, as far as that tells."""
    name = log_name(_first_line(raw))
    return f"the head of {name}" if name else "a head"


def _first_line(raw: bytes) -> str:
    return raw.split(b"\n", 1)[0][:_MOST_TOLD].decode(errors="replace")


def compare(claim: Claim, follower: Follower, consistency: Consistency, own: Consistency) -> None:
    """Holds a claim against the log as read. consistency: asks the witness; own: the source that was read from, about
    sizes below those that were read now. Raises Unverified (FORK), InvalidInput, and what these do."""
    read, head = follower.head, claim.head
    if head.size <= read.size:
        if not is_prefix(head, follower, own):
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


def is_prefix(head: Head, follower: Follower, consistency: Consistency) -> bool:
    """Whether what was read begins with this tree, which is no larger. Raises what `consistency` does."""
    root = follower.root_at(head.size)
    if root is not None:
        return root == head.root
    read = follower.head
    try:
        path = consistency(head.origin, head.size, read.size)
        merkle.verify_consistency(head.size, head.root, read.size, read.root, tuple(path))
    except (InvalidInput, Unverified):
        return False
    return True


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


def _claim(raw: bytes, history: History, logs: Mapping[str, LogId]) -> Claim:
    """With no witness yet. A cosignature by any member's key that fails refuses the note."""
    origin = parse_head_text(parse_note(raw).text).origin
    if origin not in logs:
        raise InvalidInput("UNKNOWN_LOG", "a head of a log that is no member's")
    log = logs[origin]
    signed = open_head(raw, log.key)
    spoken: list[int] = []
    witnessed: int | None = None
    for manifest, author in seats(history, origin) if len(signed.note.signatures) > 1 else ():
        cosigned = open_cosigned(raw, manifest, author)
        time = spoken_at(cosigned, manifest, author)
        spoken += [] if time is None else [time]
        witnessed = witnessed_at(cosigned, manifest, author) if witnessed is None else witnessed
    return Claim("", log.member, signed, raw, True, witnessed, max(spoken, default=None))
