"""Writing the successor of a manifest, and saying in words what it changes (design section 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from ledger.consortium.ended import EndedLog
from ledger.consortium.manifest import Manifest, render_manifest
from ledger.consortium.member import Member
from ledger.consortium.policy import Policy, override_policy
from ledger.consortium.succession import approvals_needed, newly_ended, removed_members, voters
from ledger.errors import InvalidInput
from ledger.tlog.checkpoint import Head


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is to be changed; everything else stays.

    add: new members. replace: new cards of members that have changed address, CA or keys. remove: names. policy: values
    as text, by key. custodians, threshold: of the next key epoch. refresh: the same custodians deal their shares anew.
    dealt_from: the key epoch whose custodians deal; None for the one before, another where that never came about.
    """

    add: Sequence[Member] = ()
    replace: Sequence[Member] = ()
    remove: Sequence[str] = ()
    policy: Mapping[str, str] = field(default_factory=dict)
    custodians: Sequence[str] = ()
    threshold: int | None = None
    refresh: bool = False
    dealt_from: int | None = None


def amend(before: Manifest, change: Amendment, standing: Callable[[str], Head]) -> str:
    """The text of the successor; `ledger.consortium.succession` says whether it is one.

    standing: the head at which a member's log ends, for those whose log does. Where a custodian leaves and none are
    named, the others go on, with the old threshold if that is possible. Raises InvalidInput, and what `standing` does.
    """
    for number, name in enumerate(change.remove):
        if name not in before:
            raise InvalidInput("NOT_A_MEMBER", "the manifest has no member of this name", f"remove[{number}]")
    members = _members(before, change)
    custodians = tuple(change.custodians) or tuple(name for name in before.custodians if name not in change.remove)
    threshold = _threshold(before, change, len(custodians))
    anew = change.refresh or change.dealt_from is not None
    epoch = before.epoch + (anew or (custodians, threshold) != (before.custodians, before.threshold))
    kept = {member.name: member.log_key for member in members}
    ending = (member for member in before.members if kept.get(member.name) != member.log_key)
    return render_manifest(
        name=before.name,
        currency=before.currency,
        time_zone=before.time_zone,
        minor_per_major=before.minor_per_major,
        members=members,
        policy=override_policy(before.policy, change.policy),
        custodians=custodians,
        threshold=threshold,
        after=before,
        epoch=epoch,
        dealt_from=before.dealt_from if epoch == before.epoch else change.dealt_from,
        ended=(*before.ended, *(_ended(before, member, standing(member.name)) for member in ending)),
    )


def describe_change(before: Manifest, after: Manifest) -> list[str]:
    """What a successor changes, a line each, for the people who approve it."""
    lines = [
        f"{key.replace('_', ' ')}: {getattr(before, key)} -> {getattr(after, key)}"
        for key in ("name", "time_zone")
        if getattr(before, key) != getattr(after, key)
    ]
    lines += [f"{name} is removed" for name in removed_members(before, after)]
    for member in after.members:
        if member.name in before:
            lines += _of_member(before.member(member.name), member)
        else:
            lines.append(f"{member.name} joins, at {member.address}")
    lines += [f"the log {log.name} ends at its first {log.size} entries" for log in newly_ended(before, after)]
    if before.custodians != after.custodians:
        lines.append(f"custodians: {', '.join(before.custodians)} -> {', '.join(after.custodians)}")
    if before.threshold != after.threshold:
        lines.append(f"custodians needed: {before.threshold} -> {after.threshold}")
    if before.epoch != after.epoch:
        lines.append(f"the custodians' shares are dealt anew: key epoch {after.epoch}, from {after.dealt_from}")
    lines += _of_policy(before.policy, after.policy)
    lines = lines or ["nothing changes"]
    count, needed = len(voters(before, after)), approvals_needed(before, after)
    return [*lines, f"takes {needed} approvals of {count} members that have a vote"]


def _members(before: Manifest, change: Amendment) -> list[Member]:
    replaced = {member.name: member for member in change.replace}
    for number, member in enumerate(change.replace):
        if member.name not in before or member.name in change.remove:
            raise InvalidInput("NOT_A_MEMBER", "the card of no member that stays", f"card[{number}]")
    staying = (member for member in before.members if member.name not in change.remove)
    return [*(replaced.get(member.name, member) for member in staying), *change.add]


def _threshold(before: Manifest, change: Amendment, custodians: int) -> int:
    if change.threshold is not None:
        return change.threshold
    return max(custodians // 2 + 1, min(before.threshold, custodians))


def _ended(before: Manifest, member: Member, head: Head) -> EndedLog:
    return EndedLog(member.name, before.incarnation(member.name), member.log_key, head.size, head.root)


def _of_member(old: Member, new: Member) -> list[str]:
    lines = [f"{new.name} moves: {old.address} -> {new.address}"] if old.address != new.address else []
    for key, what in (("log_key", "log key"), ("cosign_key", "cosigning key"), ("tls_ca", "CA")):
        if getattr(old, key) != getattr(new, key):
            lines.append(f"{new.name} changes its {what}")
    return lines


def _of_policy(old: Policy, new: Policy) -> list[str]:
    pairs = ((each.name, getattr(old, each.name), getattr(new, each.name)) for each in fields(Policy))
    return [f"policy: {name} = {was} -> {now}" for name, was, now in pairs if was != now]
