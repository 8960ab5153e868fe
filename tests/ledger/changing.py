"""What befalls a consortium: members join, leave and change their keys, custodians change, logs fork and are frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ledger.consortium.ended import EndedLog
from ledger.consortium.joined import name_in
from ledger.consortium.manifest import Manifest, parse_manifest, render_manifest
from ledger.consortium.policy import Policy
from ledger.consortium.succession import check_successor
from ledger.queries.custodian import Custodian
from ledger.queries.findings import Examiner
from ledger.tlog.checkpoint import Head, sign_head
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import Signer
from tests.ledger.sample_consortium import Ceremony, Consortium, MemoryLog, deal
from tests.lenders import lender, seeded


@dataclass
class Frost:
    """What is known of frozen logs, by origin. notes: of the newest witnessed head."""

    notes: dict[str, bytes] = field(default_factory=dict)
    conflicts: set[str] = field(default_factory=set)

    def frozen(self, origin: str) -> bool:
        return origin in self.notes

    def conflicting(self, origin: str) -> bool:
        return origin in self.conflicts

    def witnessed(self, origin: str) -> bytes:
        return self.notes[origin]


def number_of(member: str) -> int:
    return int(member.rpartition("-")[2])


def succeed(
    consortium: Consortium,
    *,
    leave: Sequence[str] = (),
    join: Sequence[str] = (),
    rotate: Mapping[str, int] | None = None,
    ended: Mapping[str, int] | None = None,
    policy: Policy | None = None,
    custodians: Sequence[str] | None = None,
) -> Manifest:
    """A successor comes into force, everywhere at once.

    rotate: members that write a new log, and how much of the old one counts; ended: the same for who leaves (all where
    not said). custodians: those of the next key epoch.
    """
    before, rotate = consortium.manifest, rotate or {}
    sizes = {name: consortium.log(name).size for name in leave} | (dict(ended) if ended else {}) | dict(rotate)
    members = [_rotated(before, one.name) if one.name in rotate else one for one in before.members]
    members = [one for one in members if one.name not in leave] + [lender(number_of(name)).member for name in join]
    logs = [_ended(consortium, one.name, sizes[one.name]) for one in before.members if one.name in sizes]
    text = render_manifest(
        name=before.name,
        currency=before.currency,
        time_zone=before.time_zone,
        members=members,
        policy=policy or before.policy,
        custodians=custodians or before.custodians,
        threshold=None if custodians else before.threshold,
        minor_per_major=before.minor_per_major,
        after=before,
        epoch=before.epoch + (custodians is not None),
        ended=[*before.ended, *logs],
    )
    after = parse_manifest(text)
    check_successor(consortium.history, after)
    follow(consortium, after)
    return after


def follow(consortium: Consortium, after: Manifest) -> None:
    """Everybody knows the successor."""
    consortium.history = consortium.history.followed_by(after)
    for member in after.members:
        seed = _seed(member.name, after.incarnation(member.name))
        origin = after.origin(member.name)
        consortium.logs.setdefault(name_in(after, member.name), MemoryLog(Signer.from_seed(origin, seed)))
        consortium.examiners.setdefault(member.name, Examiner(consortium.history, consortium.keys))
    for custodian in consortium.custodians.values():
        custodian.follow(consortium.history, consortium.logs)
    for examiner in consortium.examiners.values():
        examiner.follow(consortium.history)


def reshare(consortium: Consortium) -> Ceremony:
    """The custodians of the newest epoch hold their shares; the answer is the old ceremony."""
    old, manifest = consortium.ceremony, consortium.manifest
    new = deal(len(manifest.custodians), manifest.threshold, consortium.rng, manifest.epoch, old.secrets)
    consortium.ceremony = new
    consortium.custodians = {
        share.index: Custodian(consortium.history, new.public, share, consortium.logs, consortium.rng)
        for share in new.shares
    }
    return old


def witnessed(consortium: Consortium, member: str, size: int, by: int | None = None) -> bytes:
    """The note of a head that as many of the other members as it takes have cosigned."""
    manifest, log = consortium.manifest, consortium.log(member)
    by = len(manifest.members) // 2 + 1 if by is None else by
    signed = sign_head(Head(manifest.origin(member), size, log.root_at(size)), log._signer)
    others = [one.name for one in manifest.members if one.name != member][:by]
    lines = [
        Cosigner.from_seed(manifest.cosigner_key(name).name, lender(number_of(name)).keyring.cosign_seed).cosign(
            signed.note.text, consortium.now
        )
        for name in others
    ]
    return signed.note.with_signatures(lines).encode()


def freeze(consortium: Consortium, member: str, size: int) -> None:
    """The member has forked, and everybody knows; its log was witnessed up to this size."""
    if not isinstance(consortium.freezing, Frost):
        consortium.freezing = Frost()
    note = witnessed(consortium, member, size) if size else b""
    consortium.freezing.notes[consortium.manifest.origin(member)] = note


def swap(consortium: Consortium, member: str, log: MemoryLog) -> None:
    """Everybody holds this branch of a member's log now."""
    consortium.logs[name_in(consortium.manifest, member)] = log


def _rotated(before: Manifest, name: str):
    member = before.member(name)
    seed = _seed(name, before.incarnation(name) + 1)
    return replace(member, log_key=Signer.from_seed("log", seed).key.public_key)


def _seed(name: str, incarnation: int) -> bytes:
    if incarnation == 1:
        return lender(number_of(name)).keyring.log_seed
    seed: bytes = seeded(f"{name}.{incarnation}")(32)
    return seed


def _ended(consortium: Consortium, name: str, size: int) -> EndedLog:
    manifest = consortium.manifest
    root = consortium.log(name).root_at(size)
    return EndedLog(name, manifest.incarnation(name), manifest.member(name).log_key, size, root)
