"""Who calls (design section 7): the identity that a member's CA writes into a certificate's SAN URI.

    plimsoll://<consortium id>/<member>/<role>/<name>

Roles: `node` (a member's node towards other nodes), `lender` (its loan system), `operator` (its staff), `auditor`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from ledger.errors import InvalidInput

Role = Literal["node", "lender", "operator", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_URI = re.compile(r"plimsoll://([0-9a-f]{64})/([^/]*)/([^/]*)/([^/]*)")


@dataclass(frozen=True, slots=True)
class Caller:
    """consortium: 32 bytes. member: whose CA vouches. name: the member's own name of the program or person."""

    consortium: bytes
    member: str
    role: Role
    name: str

    @property
    def uri(self) -> str:
        """The SAN URI."""
        return f"plimsoll://{self.consortium.hex()}/{self.member}/{self.role}/{self.name}"


def check_name(name: str, path: str) -> str:
    """A member's or caller's name: 1 to 32 of a-z, 0-9 and inner hyphens, so that it is a DNS label. InvalidInput."""
    if _NAME.fullmatch(name) is None:
        raise InvalidInput("BAD_NAME", "a name is 1 to 32 of a-z, 0-9 and '-', with no '-' at its ends", path)
    return name


def check_role(role: str, path: str) -> Role:
    """One of ROLES. Raises InvalidInput."""
    for known in ROLES:
        if role == known:
            return known
    raise InvalidInput("BAD_ROLE", f"a role is one of {', '.join(ROLES)}", path)


def parse_caller(uri: str, path: str) -> Caller:
    """Reads a SAN URI. Raises InvalidInput."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise InvalidInput("BAD_CALLER", "not plimsoll://<consortium id>/<member>/<role>/<name>", path)
    consortium, member, role, name = match.groups()
    return Caller(bytes.fromhex(consortium), check_name(member, path), check_role(role, path), check_name(name, path))


def server_name(member: str) -> str:
    """The DNS name that clients find in a node's certificate, wherever it is reached (`.internal` is reserved)."""
    return f"{member}.plimsoll.internal"
