"""How one manifest may succeed another, and how many must approve it (design section 7; protocol section 14).

Rules, each with its code:

- BAD_SUCCESSION  it names this consortium, the manifest in force as its predecessor, and the next number
- FIXED_TERM      currency, minor_per_major, bands and overdue_bands never change: what is encrypted was made with them
- BAD_ORDER       members that stay keep their order, new ones come behind them
- NAME_REUSED     the name of somebody who was a member once is never another's
- ENDED_CHANGED   what is listed of logs that have ended stays as it is; more comes behind
- LOG_NOT_ENDED   the log of a member that is removed, or whose log key changes, ends
- BAD_ENDED       no other log ends, and each under the key it had
- KEY_REUSED      a new log key, cosigning key or CA key has never been anybody's
- BAD_EPOCH       the key epoch stays, and with it dealt_from, custodians and threshold, or is the next one
- TOO_FEW_DEALERS enough of the custodians that are to deal stay members to open the shares they hold

Approvals. With n members, a successor takes more than two thirds of n; one that ends logs takes at least two thirds of
n, as those whose log ends may be unable to approve, or not be asked: a member that is removed has no vote. So any two
sets of approvals that suffice have n / 3 members in common, whomever either of them removes: as long as fewer than a
third approve two successors of one manifest, there are no two.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.consortium.ended import EndedLog
from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest, parse_manifest
from ledger.consortium.member import Member
from ledger.errors import Refused

_FIXED = ("currency", "minor_per_major")
_FIXED_POLICY = ("bands", "overdue_bands")


def read_successor(history: History, text: str) -> Manifest:
    """The successor of the manifest in force that this text is. Raises InvalidInput, and as `check_successor`."""
    after = parse_manifest(text)
    check_successor(history, after)
    return after


def check_successor(history: History, after: Manifest) -> None:
    """That `after` may succeed the manifest in force. Raises Refused for the first rule above that it breaks."""
    before = history.current
    if (after.consortium, after.previous, after.sequence) != (before.consortium, before.id, before.sequence + 1):
        raise _broken("BAD_SUCCESSION", "does not follow the manifest in force", "previous")
    _check_terms(before, after)
    _check_names(history, before, after)
    _check_ended(before, after)
    _check_keys(history, before, after)
    _check_epoch(history, after)


def removed_members(before: Manifest, after: Manifest) -> tuple[str, ...]:
    """Who leaves or is expelled, in the predecessor's order."""
    return tuple(member.name for member in before.members if member.name not in after)


def newly_ended(before: Manifest, after: Manifest) -> tuple[EndedLog, ...]:
    """The logs that end with this change."""
    return after.ended[len(before.ended) :]


def voters(before: Manifest, after: Manifest) -> tuple[str, ...]:
    """Whose approvals count, in the predecessor's order: everybody's but those of members that are removed."""
    return tuple(member.name for member in before.members if member.name in after)


def approvals_needed(before: Manifest, after: Manifest) -> int:
    """How many approvals it takes. If there are not that many voters, the change cannot be made."""
    return needed(len(before.members), ends_logs=bool(newly_ended(before, after)))


def needed(members: int, *, ends_logs: bool) -> int:
    """More than two thirds; where logs end, at least two thirds. See above."""
    return -(-2 * members // 3) if ends_logs else 2 * members // 3 + 1


def _check_terms(before: Manifest, after: Manifest) -> None:
    for key in _FIXED:
        if getattr(before, key) != getattr(after, key):
            raise _broken("FIXED_TERM", "never changes: amounts in the logs are in it", key)
    for key in _FIXED_POLICY:
        if getattr(before.policy, key) != getattr(after.policy, key):
            raise _broken("FIXED_TERM", "never changes: positions in the logs were sorted by it", f"policy.{key}")


def _check_names(history: History, before: Manifest, after: Manifest) -> None:
    staying = voters(before, after)
    names = tuple(member.name for member in after.members)
    if names[: len(staying)] != staying:
        raise _broken("BAD_ORDER", "members keep their order, and new ones come behind them", "member")
    for number, name in enumerate(names[len(staying) :], len(staying)):
        if name in history.names:
            raise _broken("NAME_REUSED", "somebody else was a member by this name", f"member[{number}].name")


def _check_ended(before: Manifest, after: Manifest) -> None:
    count = len(before.ended)
    if after.ended[:count] != before.ended:
        raise _broken("ENDED_CHANGED", "logs that have ended stay listed as they are, and in order", "ended")
    must_end = {
        member.name: member.log_key
        for member in before.members
        if member.name not in after or after.member(member.name).log_key != member.log_key
    }
    for number, log in enumerate(newly_ended(before, after), count):
        if must_end.pop(log.member, None) != log.log_key:
            raise _broken("BAD_ENDED", "is no log that ends with this change", f"ended[{number}].log")
    if must_end:
        raise _broken("LOG_NOT_ENDED", f"the log of {next(iter(must_end))} ends, and must be listed", "ended")


def _check_keys(history: History, before: Manifest, after: Manifest) -> None:
    used = {key for manifest in history.manifests for member in manifest.members for key in _keys(member)}
    used.update(log.log_key for log in before.ended)
    for number, member in enumerate(after.members):
        had = set(_keys(before.member(member.name))) if member.name in before else set()
        own = dict(zip(("log_key", "cosign_key", "tls_ca"), _keys(member), strict=True))
        for key, value in own.items():
            if value in used and value not in had:
                raise _broken("KEY_REUSED", "this key was in use before", f"member[{number}].{key}")
        if had:
            _check_places(number, own, _keys(before.member(member.name)))


def _check_places(number: int, own: dict[str, bytes], had: Sequence[bytes]) -> None:
    """A member's old log key is not its new cosigning key either: heads and cosignatures are told apart by the key."""
    for (key, value), old in zip(own.items(), had, strict=True):
        if value != old and value in had:
            raise _broken("KEY_REUSED", "this key was in use before", f"member[{number}].{key}")


def _check_epoch(history: History, after: Manifest) -> None:
    before = history.current
    if after.epoch == before.epoch:
        for key in ("dealt_from", "custodians", "threshold"):
            if getattr(after, key) != getattr(before, key):
                raise _broken("BAD_EPOCH", "changes with the next key epoch only", key)
        return
    if after.epoch != before.epoch + 1:
        raise _broken("BAD_EPOCH", "is the predecessor's or the next one", "epoch")
    keeping = history.keeping(after.dealt_from)
    dealers = sum(name in after for name in keeping.custodians)
    if dealers < keeping.threshold:
        message = f"{keeping.threshold} of the old custodians must stay to hand their shares on, {dealers} do"
        raise _broken("TOO_FEW_DEALERS", message, "member")


def _keys(member: Member) -> tuple[bytes, bytes, bytes]:
    """Log key, cosigning key, the CA's public key: of whatever kind, each is different from all others."""
    authority = member.authority.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return member.log_key, member.cosign_key, authority


def _broken(reason: str, message: str, path: str) -> Refused:
    return Refused(reason, message, path)
