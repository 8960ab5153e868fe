"""How far each log is witnessed, and when its author was last heard of, by the cosignatures on its heads.

Whose cosignatures make a head witnessed is said by the manifest (docs/protocol.md, section 18), or by an auditor's own
policy (C2SP tlog-policy).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from client.audit.judging.witnesses import Claim
from client.audit.reading.logs import LogId
from client.audit.reading.tiles import TILES
from client.audit.report import Finding
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.tlog.checkpoint import SignedHead, open_head
from ledger.tlog.tlog_policy import Policy
from ledger.witnessing.freshness import MISSED, SILENCE, UNFED

STALE, FEED_STALE, UNWITNESSED, SILENT = "STALE", "FEED_STALE", "NOT_YET_WITNESSED", "SILENT"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A head that enough have cosigned, and by when, in Unix seconds; None where a policy asks for nobody."""

    size: int
    time: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """heartbeat: when the author last said what its newest head is, in Unix seconds; None where no note tells."""

    heartbeat: int | None
    witnessed: Witnessed | None


def standing(log: LogId, claims: Sequence[Claim], policy: Policy | None) -> Standing:
    """Of one log, by the claims about it; those under a policy that names it, by that."""
    spoken = [claim.spoken_at for claim in claims if claim.spoken_at is not None]
    by_policy = policy is not None and any(each.key == log.key for each in policy.logs)
    found = _by_policy(claims, policy) if by_policy and policy is not None else _by_manifest(claims)
    return Standing(max(spoken, default=None), max(found, key=lambda each: each.size, default=None))


def check_policy(policy: Policy, logs: Iterable[LogId], claims: Sequence[Claim]) -> Iterator[Finding]:
    """That every log the policy names is one of these, under this key, and has a head with a quorum if it has any."""
    known = {log.origin: log for log in logs}
    for named in policy.logs:
        log = known.get(named.key.name)
        if log is None:
            yield Finding(named.key.name, None, "UNKNOWN_LOG", "the policy names a log that is no member's")
            continue
        if log.key != named.key:
            yield Finding(log.member, None, "OTHER_KEY", f"the policy has another key for {log.name} than the manifest")
            continue
        of_log = [claim for claim in claims if claim.head.origin == log.origin]
        yield from _forged(log, of_log, policy)
        if of_log and not list(_by_policy(of_log, policy)):
            yield Finding(log.member, None, "NO_QUORUM", f"no head of {log.name} has the cosignatures the policy asks")


def remarks(
    log: LogId, found: Standing, size: int, last_position: int, heartbeat_seconds: int, now: int
) -> Iterator[Finding]:
    """What is worth telling of a log that is written. last_position: its time, -1 if there is none."""
    if found.heartbeat is not None and now - found.heartbeat > max(SILENCE, MISSED * heartbeat_seconds):
        yield Finding(
            log.member, None, STALE, f"{log.name}: its author was last heard of {now - found.heartbeat} s ago"
        )
    if last_position >= 0 and now - last_position > UNFED:
        yield Finding(log.member, None, FEED_STALE, f"{log.name}: its last position is {now - last_position} s old")
    below = 0 if found.witnessed is None else found.witnessed.size
    if size > below:
        time = None if found.witnessed is None else found.witnessed.time
        since = "" if time is None else f"; the last head that is was so {now - time} s ago"
        yield Finding(log.member, below, UNWITNESSED, f"{log.name}: {size - below} entries not yet witnessed{since}")


def _by_manifest(claims: Iterable[Claim]) -> Iterator[Witnessed]:
    return (Witnessed(each.head.size, each.witnessed_at) for each in claims if each.witnessed_at is not None)


def _by_policy(claims: Iterable[Claim], policy: Policy) -> Iterator[Witnessed]:
    for raw in {claim.raw for claim in claims}:
        try:
            signed = policy.open(raw)
        except (InvalidInput, Unverified):
            continue
        yield Witnessed(signed.head.size, _quorum_at(policy, signed))


def _forged(log: LogId, claims: Iterable[Claim], policy: Policy) -> Iterator[Finding]:
    """Lines by the policy's witnesses that fail."""
    for raw, witness in {claim.raw: claim.witness for claim in claims}.items():
        try:
            open_head(raw, log.key, policy.cosigner_keys.values())
        except PlimsollError as error:
            yield Finding.because(log.member if witness == TILES else witness, None, error)


def _quorum_at(policy: Policy, signed: SignedHead) -> int | None:
    """By when so many had cosigned that the quorum was there; None where it takes nobody."""
    names = {key: name for name, key in policy.cosigner_keys.items()}
    so_far: list[str] = []
    if policy.satisfied(so_far):
        return None
    ordered = sorted((each.time, names[each.key]) for each in signed.cosignatures if each.key in names)
    for time, name in ordered:
        so_far.append(name)
        if policy.satisfied(so_far):
            return time
    raise AssertionError("opened, so satisfied")
