"""Manifests that succeed one another, and the lineage that shows it (protocol section 14)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError
from plimsoll.v1 import audit_pb2

from tests.second import entry, head, manifest
from tests.second.manifest import Consortium, Member
from tests.second.refusal import Refused, require


def lineage(raw: bytes) -> list[Consortium]:
    """All manifests, the founding one first."""
    message = audit_pb2.Lineage()
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        raise Refused("MALFORMED", "lineage") from error
    history = [manifest.founded(message.founding)]
    for step in message.successions:
        try:
            after = manifest.read(step.manifest.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Refused("MALFORMED", "not UTF-8") from error
        check(history, after)
        check_approvals(history[-1], after, step.approvals)
        history.append(after)
    return history


def rivals(one: bytes, other: bytes) -> list[str]:
    """Of two lineages that part: who approved both successors of the last manifest that they share."""
    histories = lineage(one), lineage(other)
    common = sum(a.id == b.id for a, b in zip(*histories, strict=False))
    require(0 < common < min(map(len, histories)), "NO_RIVALS")
    steps = [audit_pb2.Lineage.FromString(raw).successions[common - 1] for raw in (one, other)]
    first, second = ([each.member for each in step.approvals] for step in steps)
    return [name for name in first if name in second]


def needed(before: Consortium, after: Consortium) -> int:
    members, ends = len(before.members), len(after.ended) > len(before.ended)
    return (2 * members + 2) // 3 if ends else 2 * members // 3 + 1


def check_approvals(before: Consortium, after: Consortium, approvals: Sequence[Any]) -> None:
    voters = [name for name in before.names if name in after.names]
    by = [each.member for each in approvals]
    require(set(by) <= set(voters), "NO_VOTE")
    require(by == [name for name in voters if name in by], "BAD_ORDER")
    for each in approvals:
        read = entry.read(each.entry)
        require(read is not None and read.kind == "approval", "OTHER_APPROVAL")
        assert read is not None
        require((read.body.previous, read.body.manifest) == (before.id, after.id), "OTHER_APPROVAL")
        head.open_receipt(each.receipt, each.entry, before.log_key(each.member))
    require(len(by) >= needed(before, after), "TOO_FEW_APPROVALS")


def check(history: Sequence[Consortium], after: Consortium) -> None:
    """S1 to S6."""
    before = history[-1]
    place = (before.founding, before.id, before.sequence + 1)
    require((after.founding, after.previous, after.sequence) == place, "BAD_SUCCESSION")  # S1
    for key in ("bands", "overdue_bands"):
        require(after.policy[key] == before.policy[key], "FIXED_TERM")  # S2
    require((after.currency, after.minor_per_major) == (before.currency, before.minor_per_major), "FIXED_TERM")
    stay = tuple(name for name in before.names if name in after.names)
    require(after.names[: len(stay)] == stay, "BAD_ORDER")  # S3
    former = {name for one in history for name in one.names}
    require(not former & set(after.names[len(stay) :]), "NAME_REUSED")
    _check_ended(before, after)
    _check_keys(history, after)
    if after.epoch == before.epoch:  # S6
        terms = [(one.dealt_from, one.custodians, one.threshold) for one in (before, after)]
        require(terms[0] == terms[1], "BAD_EPOCH")
    else:
        require(after.epoch == before.epoch + 1, "BAD_EPOCH")
        keeping = next(one for one in history if one.epoch == after.dealt_from)
        dealers = [name for name in keeping.custodians if name in after.names]
        require(len(dealers) >= keeping.threshold, "TOO_FEW_DEALERS")


def _check_ended(before: Consortium, after: Consortium) -> None:
    """S4."""
    old = len(before.ended)
    require(after.ended[:old] == before.ended, "ENDED_CHANGED")
    now = {member.name: member.log_key for member in after.members}
    must = {(one.name, one.log_key) for one in before.members if now.get(one.name) != one.log_key}
    listed = [(each.member, each.log_key) for each in after.ended[old:]]
    require(set(listed) <= must and len(set(listed)) == len(listed), "BAD_ENDED")
    require(must <= set(listed), "LOG_NOT_ENDED")


def _check_keys(history: Sequence[Consortium], after: Consortium) -> None:
    """S5."""
    used = {key for one in history for member in one.members for key in _keys(member)}
    had = {member.name: _keys(member) for member in history[-1].members}
    for member in after.members:
        for place, key in enumerate(_keys(member)):
            kept = member.name in had and had[member.name][place] == key
            require(kept or key not in used, "KEY_REUSED")


def _keys(member: Member) -> tuple[bytes, bytes, bytes]:
    return member.log_key, member.cosign_key, manifest.authority_key(member.tls_ca)
