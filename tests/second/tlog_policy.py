"""Section 22, policies: which logs, which witnesses, and how many of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from tests.second.note import strict_base64
from tests.second.refusal import Refused, require


@dataclass
class Policy:
    """Names are bytes. quorum: None where nobody has to cosign."""

    logs: list[bytes] = field(default_factory=list)
    witnesses: dict[bytes, bytes] = field(default_factory=dict)
    groups: dict[bytes, tuple[int, list[bytes]]] = field(default_factory=dict)
    quorum: bytes | None = None

    def satisfied(self, cosigned: Collection[bytes]) -> bool:
        return self.quorum is None or self._reached(self.quorum, cosigned)

    def _reached(self, name: bytes, cosigned: Collection[bytes]) -> bool:
        if name in self.witnesses:
            return name in cosigned
        least, members = self.groups[name]
        return sum(self._reached(member, cosigned) for member in members) >= least


def read(raw: bytes) -> tuple[Policy, None] | tuple[None, tuple[str, int | None]]:
    """The policy; or why it is none, and in which line."""
    require(len(raw) <= 1 << 20, "POLICY_TOO_LARGE")
    policy = Policy()
    quorums: list[bytes] = []
    taken: set[bytes] = set()
    keys: set[bytes] = set()
    lines = raw.split(b"\n")
    for number, line in enumerate(lines, 1):
        if number == len(lines):
            if line:
                return None, ("NO_NEWLINE", number)
            break
        try:
            require(not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line), "BAD_CHARACTER")
            items = [item for item in re.split(rb"[ \t]+", line) if item]
            if items and not items[0].startswith(b"#"):
                _line(policy, items, quorums, taken, keys)
        except Refused as refused:
            return None, (refused.code, number)
    if not quorums:
        return None, ("NO_QUORUM", None)
    policy.quorum = None if quorums[0] == b"none" else quorums[0]
    return policy, None


def _line(policy: Policy, items: list[bytes], quorums: list[bytes], taken: set[bytes], keys: set[bytes]) -> None:
    word, rest = items[0], items[1:]
    shapes = {b"log": (1, 2), b"witness": (2, 3), b"group": (3, len(rest)), b"quorum": (1, 1)}
    least, most = shapes.get(word, (1, 0))
    require(least <= len(rest) <= most, "BAD_POLICY_LINE")
    defined = policy.witnesses.keys() | policy.groups.keys()
    if word == b"log":
        _key(rest[0], (1,), b"log", keys)
        policy.logs.append(rest[0])
    elif word == b"witness":
        _key(rest[1], (4, 6), b"witness", keys)
        _name(rest[0], defined)
        policy.witnesses[rest[0]] = rest[1]
    elif word == b"group":
        members = rest[2:]
        for member in members:
            require(member in defined, "UNKNOWN_NAME")
            require(member not in taken, "LISTED_TWICE")
            taken.add(member)
        spelt = {b"all": str(len(members)).encode(), b"any": b"1"}.get(rest[1], rest[1])
        require(re.fullmatch(rb"[1-9][0-9]{0,9}", spelt), "BAD_THRESHOLD")
        require(int(spelt) <= len(members), "BAD_THRESHOLD")
        _name(rest[0], defined)
        policy.groups[rest[0]] = int(spelt), members
    else:
        require(not quorums, "SECOND_QUORUM")
        require(rest[0] == b"none" or rest[0] in defined, "UNKNOWN_NAME")
        quorums.append(rest[0])


def _name(name: bytes, defined: Collection[bytes]) -> None:
    require(name != b"none", "RESERVED_NAME")
    require(name not in defined, "DUPLICATE_NAME")


def _key(text: bytes, kinds: Collection[int], use: bytes, keys: set[bytes]) -> None:
    parts = text.split(b"+", 2)
    require(len(parts) == 3 and re.fullmatch(rb"[0-9a-f]{8}", parts[1]), "BAD_VERIFIER_KEY")
    raw = strict_base64(parts[2].decode("latin-1"))
    require(hashlib.sha256(parts[0] + b"\n" + raw).hexdigest()[:8] == parts[1].decode(), "BAD_KEY_ID")
    require(raw[0] in kinds, "BAD_KEY_TYPE")
    require(use + raw[1:] not in keys, "DUPLICATE_KEY")
    keys.add(use + raw[1:])
