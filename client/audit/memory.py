"""What the last audit saw of every log, kept in a file: between two audits no log may shrink or change.

    {"format": "plimsoll/audit-state/v1", "consortium": hex, "manifests": [hex],
     "logs": {origin: {"size": n, "root": hex}}}

"manifests" are the ids of all, in order; a state that was written before there were successors has none.

It is public, but must be kept where those who are audited cannot write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from client.audit.follower import Follower
from ledger.checkpoint import Head
from ledger.errors import InvalidInput, Unverified
from ledger.merkle import HASH_SIZE, MAX_SIZE
from ledger.strict_json import Document

FORMAT = "plimsoll/audit-state/v1"
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Memory:
    """heads: by origin. manifests: the ids of all, in order; none if that was not kept."""

    consortium: bytes
    heads: Mapping[str, Head]
    manifests: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """The file's bytes, of which `parse` makes the same memory."""
        logs = {head.origin: {"size": head.size, "root": head.root.hex()} for head in self.heads.values()}
        manifests = [each.hex() for each in self.manifests]
        facts = {"format": FORMAT, "consortium": self.consortium.hex(), "manifests": manifests, "logs": logs}
        return json.dumps(facts, indent=1).encode() + b"\n"


def parse(raw: bytes) -> Memory:
    """Reads a state file. Raises InvalidInput."""
    try:
        return _read(Document.parse(raw, MAX_BYTES))
    except InvalidInput as error:
        raise InvalidInput("BAD_STATE", f"not the state of an audit: {error.message}", error.path) from error


def _read(document: Document) -> Memory:
    if document.text("format") != FORMAT:
        raise InvalidInput("BAD_STATE", f"the format is not {FORMAT}", "format")
    manifests = document.hexes("manifests", 32) if "manifests" in document else ()
    memory = Memory(document.hex("consortium", 32), dict(map(_head, document.named("logs"))), manifests)
    document.finish()
    return memory


def _head(log: tuple[str, Document]) -> tuple[str, Head]:
    origin, facts = log
    head = Head(origin, facts.integer("size", MAX_SIZE), facts.hex("root", HASH_SIZE))
    facts.finish()
    return origin, head


def compare(head: Head, follower: Follower, end: int | None = None) -> None:
    """Holds what was seen against the log as read now. end: where it has ended, if it has: what is beyond does not
    count, and nobody has to keep it. Raises Unverified."""
    if end is not None and end <= follower.size < head.size:
        return
    if follower.size < head.size:
        raise Unverified("SHRUNK", f"the log had {head.size} entries at the last audit and has {follower.size} now")
    if follower.root_at(head.size) != head.root:
        raise Unverified("REWRITTEN", f"the log's first {head.size} entries are not those of the last audit")
