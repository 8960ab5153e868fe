"""The two entries by which a manifest is changed: Proposal and Approval (design section 7; protocol section 3)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from plimsoll.v1 import entry_pb2

from ledger.chain.entries import MAX_PROPOSAL, Kind, kind_of, parse_entry
from ledger.consortium.manifest import MAX_MANIFEST_BYTES, Manifest
from ledger.errors import InvalidInput

_LEVEL = 9


@dataclass(frozen=True, slots=True)
class Vote:
    """An Approval. previous, manifest: ids, 32 bytes each."""

    previous: bytes
    manifest: bytes


def proposal_entry(after: Manifest, time: int) -> bytes:
    """The Proposal of a successor, at `time` in Unix seconds. Raises InvalidInput for a text that is too large."""
    packed = zlib.compress(after.text.encode(), _LEVEL)
    if len(packed) > MAX_PROPOSAL:
        raise InvalidInput("BAD_LENGTH", f"compressed, a proposal's text is at most {MAX_PROPOSAL} bytes", "manifest")
    proposal = entry_pb2.Proposal(previous=after.previous or b"", manifest=packed)
    return entry_pb2.Entry(time=time, proposal=proposal).SerializeToString()


def approval_entry(vote: Vote, time: int) -> bytes:
    """The Approval, at `time` in Unix seconds."""
    approval = entry_pb2.Approval(previous=vote.previous, manifest=vote.manifest)
    return entry_pb2.Entry(time=time, approval=approval).SerializeToString()


def read_vote(raw: bytes) -> Vote | None:
    """The Approval in an entry; None for an entry of another kind. Raises InvalidInput for one that is not sound."""
    entry = parse_entry(raw)
    if kind_of(entry) != Kind.APPROVAL:
        return None
    return Vote(entry.approval.previous, entry.approval.manifest)


def read_proposal(raw: bytes) -> tuple[bytes, bytes] | None:
    """The predecessor's id and the compressed text in a Proposal; else as `read_vote`."""
    entry = parse_entry(raw)
    if kind_of(entry) != Kind.PROPOSAL:
        return None
    return entry.proposal.previous, entry.proposal.manifest


def unpacked(packed: bytes) -> str:
    """A proposal's text out of its zlib stream (RFC 1950). Raises InvalidInput for what is not exactly one."""
    inflater = zlib.decompressobj()
    try:
        # One byte more than a manifest may have: a small stream can hold gigabytes.
        raw = inflater.decompress(packed, MAX_MANIFEST_BYTES + 1)
        text = raw.decode("utf-8")
    except (zlib.error, UnicodeDecodeError) as error:
        raise InvalidInput("BAD_MANIFEST", "not a compressed text", "manifest") from error
    if len(raw) > MAX_MANIFEST_BYTES or not inflater.eof or inflater.unused_data:
        raise InvalidInput("BAD_MANIFEST", "not one compressed text of a manifest's size", "manifest")
    return text
