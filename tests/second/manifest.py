"""The manifest's text and signatures (protocol sections 2 and 14; ranges from founding.md)."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.second import group, note
from tests.second.refusal import Refused, require

KEYS = {"name", "currency", "minor_per_major", "time_zone", "custodians", "threshold", "policy", "member"}
LATER_KEYS = {"consortium", "previous", "sequence"}
ENDED_KEYS = {"log", "log_key", "size", "root"}
MOST_ENDED, MOST_STEPS = 1000, 10**6
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
ID = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
MEMBER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z", re.ASCII)


@dataclass(frozen=True)
class Member:
    name: str
    log_key: bytes
    cosign_key: bytes
    tls_ca: bytes


@dataclass(frozen=True)
class Ended:
    """A log that nobody writes any more."""

    member: str
    number: int
    log_key: bytes
    size: int
    root: bytes


@dataclass(frozen=True)
class Consortium:
    """A manifest; the founding one's id is the consortium's."""

    id: bytes
    members: tuple[Member, ...]
    custodians: tuple[str, ...]
    threshold: int
    minor_per_major: int
    policy: dict[str, Any]
    currency: str
    founding: bytes
    previous: bytes | None
    sequence: int
    epoch: int
    dealt_from: int
    ended: tuple[Ended, ...]

    def origin(self, member: str) -> str:
        former = sum(each.member == member for each in self.ended)
        return f"plimsoll/{self.founding.hex()}/{member}" + (f".{former + 1}" if former else "")

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
    require(consortium.sequence == 0, "NOT_FOUNDING", "a successor founds nothing")
    keys = [consortium.log_key(name) for name in consortium.names]
    require(set(note.open_note(raw, keys).verified) == set(keys), "UNVERIFIED", "not all have signed")
    return consortium


def read(text: str) -> Consortium:
    try:
        return _read(text)
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # of another type than it must be
        raise Refused("MALFORMED", repr(error)) from error


def authority_key(certificate: bytes) -> bytes:
    """The public key of a tls_ca."""
    try:
        authority = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refused("MALFORMED", "no certificate") from error
    return authority.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(text: str) -> Consortium:
    require(text.startswith("# Plimsoll manifest v1\n") and "\t" not in text and "\r" not in text, "MALFORMED", "text")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        require(False, "MALFORMED", str(error))
    later = bool(LATER_KEYS & set(table))
    keys = KEYS | (LATER_KEYS | {"epoch", "dealt_from", "ended"} if later else set())
    needed = KEYS - {"policy"} | (LATER_KEYS if later else set())
    require(set(table) <= keys and needed <= set(table), "MALFORMED", "keys")
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
    identity = hashlib.sha256(text.encode()).digest()
    ended = tuple(_ended(table["ended"])) if "ended" in table else ()
    in_use = {key for m in members for key in (m.log_key, m.cosign_key)}
    require(not in_use & {each.log_key for each in ended}, "MALFORMED", "the key of an ended log in use")
    return Consortium(
        identity,
        members,
        custodians,
        threshold,
        table["minor_per_major"],
        _policy(table.get("policy", {}), len(members)),
        table["currency"],
        ended=ended,
        **_place(table, identity) if later else FIRST | {"founding": identity},
    )


FIRST: dict[str, Any] = {"previous": None, "sequence": 0, "epoch": 1, "dealt_from": 0}


def _place(table: dict[str, Any], identity: bytes) -> dict[str, Any]:
    """Where a successor stands."""
    founding, previous = (table[key] for key in ("consortium", "previous"))
    require(ID.match(founding) and ID.match(previous), "MALFORMED", "ids")
    numbers = (table["sequence"], table.get("epoch", 1))
    require(all(_whole(each) and 1 <= each <= MOST_STEPS for each in numbers), "MALFORMED", "sequence or epoch")
    dealt_from = table.get("dealt_from", numbers[1] - 1)
    most = max(numbers[1] - 1, 0)
    require(_whole(dealt_from) and min(1, most) <= dealt_from <= most, "MALFORMED", "dealt_from")
    require("dealt_from" not in table or most, "MALFORMED", "dealt_from of the first epoch")
    require(
        (numbers[0] == 1) == (founding == previous), "MALFORMED", "the first one, and no other, follows the founding"
    )
    return {
        "founding": bytes.fromhex(founding),
        "previous": bytes.fromhex(previous),
        "sequence": numbers[0],
        "epoch": numbers[1],
        "dealt_from": dealt_from,
    }


def _ended(tables: Any) -> Iterator[Ended]:
    require(isinstance(tables, list) and 1 <= len(tables) <= MOST_ENDED, "MALFORMED", "ended")
    seen: list[str] = []
    for table in tables:
        require(isinstance(table, dict) and set(table) == ENDED_KEYS, "MALFORMED", "ended")
        member, dot, number = table["log"].partition(".")
        require(MEMBER_NAME.match(member), "MALFORMED", "ended log's name")
        seen.append(member)
        nth = seen.count(member)
        require(number == str(nth) if dot else nth == 1, "MALFORMED", "ended logs out of order")
        key, root = note.strict_base64(table["log_key"]), note.strict_base64(table["root"])
        require(group.edwards_of_prime_order(key) and len(root) == 32, "MALFORMED", "ended log")
        size = table["size"]
        require(_whole(size) and 0 <= size < 1 << 63, "MALFORMED", "ended log's size")
        require(size or root == hashlib.sha256(b"").digest(), "MALFORMED", "an empty tree has one root")
        yield Ended(member, nth, key, size, root)
    _distinct([table["log_key"] for table in tables])


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
    authority = note.strict_base64(table["tls_ca"])
    authority_key(authority)
    return Member(table["name"], log_key, cosign_key, authority)


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
