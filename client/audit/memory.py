"""What the last audit saw of every log, kept in a file: between two audits no log may shrink or change.

    {"format": "plimsoll/audit-state/v1", "consortium": hex, "logs": {origin: {"size": n, "root": hex}}}

It is public, but must be kept where those who are audited cannot write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from client.audit.follower import Follower
from ledger.checkpoint import Head
from ledger.errors import InvalidInput, PlimsollError, Unverified

FORMAT = "plimsoll/audit-state/v1"


@dataclass(frozen=True, slots=True)
class Memory:
    """heads: by origin."""

    consortium: bytes
    heads: Mapping[str, Head]

    def encode(self) -> bytes:
        """The file's bytes, of which `parse` makes the same memory."""
        logs = {head.origin: {"size": head.size, "root": head.root.hex()} for head in self.heads.values()}
        facts = {"format": FORMAT, "consortium": self.consortium.hex(), "logs": logs}
        return json.dumps(facts, indent=1).encode() + b"\n"


def parse(raw: bytes) -> Memory:
    """Reads a state file. Raises InvalidInput."""
    try:
        facts: Any = json.loads(raw)
        if facts["format"] != FORMAT:
            raise InvalidInput("BAD_STATE", f"the format is not {FORMAT}", "format")
        logs = facts["logs"].items()
        heads = {origin: Head(origin, int(log["size"]), bytes.fromhex(log["root"])) for origin, log in logs}
        return Memory(bytes.fromhex(facts["consortium"]), heads)
    except PlimsollError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput("BAD_STATE", "not the state of an audit") from error


def compare(head: Head, follower: Follower) -> None:
    """Holds what was seen against the log as read now. Raises Unverified."""
    if follower.size < head.size:
        raise Unverified("SHRUNK", f"the log had {head.size} entries at the last audit and has {follower.size} now")
    if follower.root_at(head.size) != head.root:
        raise Unverified("REWRITTEN", f"the log's first {head.size} entries are not those of the last audit")
