"""The Inquiry entry: everything about one question, fixed in the asker's log before it is asked (protocol, 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from plimsoll.v1 import entry_pb2

from ledger.chain.entries import parse_entry
from ledger.crypto.hashing import Part, digest
from ledger.errors import InvalidInput
from ledger.tlog.checkpoint import Head

DAY = 86_400  # seconds
SALT_SIZE = 32
PURPOSES = {
    entry_pb2.PURPOSE_PRE_LOAN: "pre-loan",
    entry_pb2.PURPOSE_POST_LOAN: "post-loan",
    entry_pb2.PURPOSE_GUARANTOR: "guarantor",
    entry_pb2.PURPOSE_DISPUTE: "dispute",
    entry_pb2.PURPOSE_SELF: "self",
}


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A sound Inquiry entry. Whether it is acceptable is the custodians' to check.

    time: Unix seconds. label: 16 bytes. purpose: number of the Purpose enumeration. consent_digest, manifest,
    heads_digest: 32 bytes each. as_of: days, 0 for now. sizes: of the members' logs in the manifest's order. frozen:
    places, in that order, of the logs that are; conflicting: those of them of which conflicting heads were witnessed.
    settled: up to where Challenges in each member's log count; empty for nowhere (protocol, 19).
    """

    time: int
    label: bytes = field(repr=False)
    purpose: int
    consent_digest: bytes
    as_of: int
    epoch: int
    manifest: bytes
    sizes: tuple[int, ...]
    heads_digest: bytes
    frozen: tuple[int, ...] = ()
    conflicting: tuple[int, ...] = ()
    settled: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """The entry's bytes."""
        message = entry_pb2.Inquiry(
            label=self.label,
            purpose=self.purpose,  # type: ignore[arg-type]  # any number may stand in an open enumeration
            consent_digest=self.consent_digest,
            as_of=self.as_of,
            epoch=self.epoch,
            manifest=self.manifest,
            sizes=self.sizes,
            heads_digest=self.heads_digest,
            frozen=self.frozen,
            conflicting=self.conflicting,
            settled=self.settled,
        )
        return entry_pb2.Entry(time=self.time, inquiry=message).SerializeToString(deterministic=True)

    @classmethod
    def parse(cls, entry: bytes) -> Inquiry:
        """Reads a sound entry. Raises InvalidInput (BAD_ENTRY) for any other and for another kind."""
        try:
            message = parse_entry(entry)
        except InvalidInput as error:
            raise InvalidInput("BAD_ENTRY", f"not an entry: {error.message}", "entry") from error
        if message.WhichOneof("kind") != "inquiry":
            raise InvalidInput("BAD_ENTRY", "not an Inquiry", "entry")
        inquiry = message.inquiry
        return cls(
            message.time,
            inquiry.label,
            int(inquiry.purpose),
            inquiry.consent_digest,
            inquiry.as_of,
            inquiry.epoch,
            inquiry.manifest,
            tuple(inquiry.sizes),
            inquiry.heads_digest,
            tuple(inquiry.frozen),
            tuple(inquiry.conflicting),
            tuple(inquiry.settled),
        )


def heads_digest(heads: Sequence[Head]) -> bytes:
    """32 bytes for the heads to be used, one per member in the manifest's order."""
    parts: list[Part] = [len(heads)]
    for head in heads:
        parts += (head.origin, head.size, head.root)
    return digest("plimsoll/v1/heads", *parts)


def consent_digest(salt: bytes, document: bytes) -> bytes:
    """32 bytes that bind an inquiry to the borrower's consent, which only its holder can check.

    Raises InvalidInput for a salt that is not 32 bytes.
    """
    if len(salt) != SALT_SIZE:
        raise InvalidInput("BAD_LENGTH", f"a salt is {SALT_SIZE} bytes", "salt")
    return digest("plimsoll/v1/consent", salt, document)


def purpose_number(name: str, path: str = "purpose") -> int:
    """The purpose of this name, e.g. "pre-loan". Raises InvalidInput."""
    for number, known in PURPOSES.items():
        if name == known:
            return number
    raise InvalidInput("BAD_PURPOSE", f"a purpose is one of {', '.join(PURPOSES.values())}", path)
