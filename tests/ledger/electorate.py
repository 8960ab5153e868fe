"""A consortium whose members propose and approve in logs of their own: what tests of successions start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ledger.chain.chain import Chain, LogName
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.address import Address
from ledger.consortium.ballot import Vote, approval_entry, proposal_entry
from ledger.consortium.ended import EndedLog
from ledger.consortium.history import History
from ledger.consortium.lineage import Lineage, founded
from ledger.consortium.manifest import Manifest, parse_manifest, render_manifest
from ledger.consortium.member import Member
from ledger.tlog.note import Signer
from tests.lenders import Lender, lender, manifest, signed_manifest

TIME = 1_700_000_000


def successor_text(before: Manifest, **changes: Any) -> str:
    """The text that follows `before` and is the same otherwise."""
    terms: dict[str, Any] = {
        "name": before.name,
        "currency": before.currency,
        "time_zone": before.time_zone,
        "minor_per_major": before.minor_per_major,
        "members": before.members,
        "policy": before.policy,
        "custodians": before.custodians,
        "threshold": before.threshold,
        "epoch": before.epoch,
        "ended": before.ended,
        "after": before,
    }
    return render_manifest(**{**terms, **changes})


def successor(before: Manifest, **changes: Any) -> Manifest:
    return parse_manifest(successor_text(before, **changes))


def renamed(before: Manifest, name: str) -> Manifest:
    return successor(before, name=name)


def moved(before: Manifest, name: str = "lender-1", host: str = "elsewhere.example") -> Manifest:
    """With another address for one member."""
    return successor(before, members=with_member(before, name, address=Address(host, 7700)))


def with_member(before: Manifest, name: str, **changes: Any) -> list[Member]:
    return [replace(one, **changes) if one.name == name else one for one in before.members]


def ended(before: Manifest, name: str, size: int = 7, root: bytes = bytes(range(32))) -> EndedLog:
    """The log that this member has now, ended."""
    return EndedLog(name, before.incarnation(name), before.log_key(name).public_key, size, root)


def without(before: Manifest, *names: str, **changes: Any) -> Manifest:
    """With these members expelled, and the custodians among them replaced by nobody."""
    staying = [one for one in before.members if one.name not in names]
    keepers = [name for name in before.custodians if name not in names]
    terms = {
        "members": staying,
        "ended": [*before.ended, *(ended(before, name) for name in names)],
        "custodians": keepers,
        "threshold": max(2, len(keepers) // 2 + 1),
        "epoch": before.epoch + 1,
    }
    return successor(before, **{**terms, **changes})


def rotated(before: Manifest, name: str, spare: int = 50, **changes: Any) -> Manifest:
    """With a new log key for one member: that of lender-<spare>."""
    members = with_member(before, name, log_key=lender(spare).member.log_key)
    return successor(before, **{"members": members, "ended": [*before.ended, ended(before, name)], **changes})


def founding_lineage(count: int = 3) -> Lineage:
    return founded(signed_manifest(count).encode())


class Electorate:
    """The members' logs in one chain. Each appends for itself."""

    def __init__(self, count: int = 3) -> None:
        self.count = count
        self.history = History([manifest(count)])
        current = self.history.current
        self.chain = Chain(MemoryStore(), [_name(current, one.name) for one in current.members])
        self.signers = {
            one.name: Signer.from_seed(current.origin(one.name), lender_of(one.name).keyring.log_seed)
            for one in current.members
        }

    def append(self, member: str, *entries: bytes) -> int:
        return self.chain.own(self.signers[member]).append(entries)

    def propose(self, member: str, after: Manifest) -> int:
        return self.append(member, proposal_entry(after, TIME))

    def approve(self, members: Sequence[str] | str, after: Manifest) -> None:
        for member in [members] if isinstance(members, str) else members:
            self.append(member, approval_entry(Vote(after.previous or b"", after.id), TIME))


def lender_of(name: str) -> Lender:
    return lender(int(name.rpartition("-")[2]))


def names(*numbers: int) -> list[str]:
    return [f"lender-{number}" for number in numbers]


def _name(current: Manifest, member: str) -> LogName:
    return LogName(member, current.origin(member), current.log_key(member))
