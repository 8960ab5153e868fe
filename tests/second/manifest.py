"""The manifest's text and signatures (protocol sections 2 and 14; ranges from founding.md)."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from tests.second import group, note
from tests.second.refusal import require

KEYS = {"name", "currency", "minor_per_major", "time_zone", "custodians", "threshold", "policy", "member"}
MEMBER_KEYS = {"name", "address", "log_key", "cosign_key", "tls_ca"}
# Default, least, most.
NUMBERS = {
    "differencing_days": (90, 1, 3650),
    "queries_per_borrower": (3, 1, 1000),
    "inquiries_per_day": (100_000, 1, 10**9),
    "evaluations_per_day": (1_000_000, 1, 10**12),
    "grace_days": (10, 0, 365),
    "amount_bits": (36, 24, 40),
    "heartbeat_seconds": (5, 1, 3600),
    "gossip_seconds": (2, 1, 3600),
    "inquiry_seconds": (120, 10, 86_400),
    "heads_seconds": (30, 5, 86_400),
}
EDGES = {"bands": [10_000, 50_000, 100_000, 200_000, 500_000], "overdue_bands": [1_000, 10_000, 50_000, 200_000]}
MEMBER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z", re.ASCII)


@dataclass(frozen=True)
class Member:
    name: str
    log_key: bytes
    cosign_key: bytes


@dataclass(frozen=True)
class Consortium:
    """A founding manifest: its id is the consortium's."""

    id: bytes
    members: tuple[Member, ...]
    custodians: tuple[str, ...]
    threshold: int
    minor_per_major: int
    policy: dict[str, Any]

    def origin(self, member: str) -> str:
        return f"plimsoll/{self.id.hex()}/{member}"

    def log_key(self, member: str) -> note.Key:
        (public,) = [m.log_key for m in self.members if m.name == member]
        return note.Key(self.origin(member), note.ED25519, public)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)


def founded(raw: bytes) -> Consortium:
    """A founding manifest that every member has signed."""
    text, _ = note.parse(raw)
    consortium = read(text)
    keys = [consortium.log_key(name) for name in consortium.names]
    require(set(note.open_note(raw, keys).verified) == set(keys), "UNVERIFIED", "not all have signed")
    return consortium


def read(text: str) -> Consortium:
    require(text.startswith("# Plimsoll manifest v1\n") and "\t" not in text and "\r" not in text, "MALFORMED", "text")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        require(False, "MALFORMED", str(error))
    require(set(table) <= KEYS and KEYS - {"policy"} <= set(table), "MALFORMED", "keys")
    members = tuple(_member(each) for each in table["member"])
    require(3 <= len(members) <= 100, "MALFORMED", "members")
    _distinct([m.name for m in members])
    _distinct([key for m in members for key in (m.log_key, m.cosign_key)])
    custodians = tuple(table["custodians"])
    _distinct(custodians)
    require(set(custodians) <= {m.name for m in members}, "MALFORMED", "custodians")
    threshold = table["threshold"]
    require(_whole(threshold) and 2 <= threshold <= len(custodians) < 2 * threshold, "MALFORMED", "threshold")
    require(table["minor_per_major"] in (1, 10, 100, 1_000, 10_000), "MALFORMED", "minor_per_major")
    return Consortium(
        hashlib.sha256(text.encode()).digest(),
        members,
        custodians,
        threshold,
        table["minor_per_major"],
        _policy(table.get("policy", {}), len(members)),
    )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _distinct(values: Any) -> None:
    require(len(set(values)) == len(values), "MALFORMED", "something twice")


def _member(table: Any) -> Member:
    require(isinstance(table, dict) and set(table) == MEMBER_KEYS, "MALFORMED", "member")
    require(MEMBER_NAME.match(table["name"]), "MALFORMED", "member name")
    log_key, cosign_key = (note.strict_base64(table[name]) for name in ("log_key", "cosign_key"))
    good = group.edwards_of_prime_order(log_key) and group.edwards_of_prime_order(cosign_key)
    require(good, "MALFORMED", "key")
    return Member(table["name"], log_key, cosign_key)


def _policy(table: Any, members: int) -> dict[str, Any]:
    numbers = {**NUMBERS, "min_contributors": (3 if members >= 6 else 2, 2, members - 1)}
    require(isinstance(table, dict) and set(table) <= {*numbers, *EDGES}, "MALFORMED", "policy")
    policy: dict[str, Any] = {}
    for key, (default, least, most) in numbers.items():
        policy[key] = table.get(key, default)
        require(_whole(policy[key]) and least <= policy[key] <= most, "MALFORMED", key)
    for key, edges in EDGES.items():
        policy[key] = table.get(key, edges)
        given = policy[key]
        require(isinstance(given, list) and len(given) == len(edges) and all(map(_whole, given)), "MALFORMED", key)
        require(given[0] > 0 and sorted(set(given)) == given, "MALFORMED", key)
    return policy
