"""The Evidence in a log, each verified: it proves to anybody that the author of some log has signed two histories
(docs/protocol.md, section 18)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from client.audit.reading.kept import Kept
from ledger.chain.entries import parse_entry
from ledger.errors import PlimsollError, Unverified
from ledger.tlog import merkle
from ledger.tlog.note import VerifierKey
from ledger.witnessing.evidence import Evidence, verify_evidence

#: Void ones of one log that are kept; there is no use in reading more.
MAX_VOID = 16


@dataclass(frozen=True, slots=True)
class Accusation:
    """Evidence that holds, at `index` of the log of the member `teller`."""

    teller: str
    index: int
    evidence: Evidence


class Accusations:
    """Of one log. valid: by the origin of the log accused, the first one. void: (index, why) of those that prove
    nothing."""

    def __init__(self, teller: str, keys: Mapping[str, VerifierKey]) -> None:
        """teller: whose log it is. keys: of all logs, by origin."""
        self._teller = teller
        self._keys = keys
        self.valid: dict[str, Accusation] = {}
        self.void: list[tuple[int, PlimsollError]] = []
        self._kept: list[Kept] = []

    def kept(self) -> list[Kept]:
        """What to go on from: what is valid, and what is void as far as it is told."""
        return self._kept

    def take(self, index: int, entry: bytes) -> None:
        """A sound Evidence entry, as it stands at `index`."""
        message = parse_entry(entry).evidence
        if message.origin in self.valid:
            return
        try:
            self.valid[message.origin] = Accusation(
                self._teller, index, verify_evidence(message, self._key(message.origin))
            )
        except PlimsollError as error:
            if len(self.void) >= MAX_VOID:
                return
            self.void.append((index, error))
        self._kept.append(Kept(index, merkle.leaf_hash(entry), entry))

    def _key(self, origin: str) -> VerifierKey:
        if origin not in self._keys:
            raise Unverified("UNKNOWN_LOG", "evidence about a log that is no member's", "origin")
        return self._keys[origin]
