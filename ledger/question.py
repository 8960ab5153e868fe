"""A query as a custodian receives it: what can be said of it without a log or a clock (protocol, 9: Q1, Q4, Q5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from plimsoll.v1 import peer_pb2

from ledger.checkpoint import Head
from ledger.errors import InvalidInput, PlimsollError, Refused
from ledger.findings import Asked
from ledger.inquiry import Inquiry, heads_digest
from ledger.labels import QueryKeys
from ledger.manifest import Manifest
from ledger.merkle import leaf_hash
from ledger.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Question:
    """A well-formed request of `asked.querier` whose inquiry names what is in force and the heads that came along."""

    asked: Asked
    entry: bytes
    receipt: Receipt
    keys: QueryKeys = field(repr=False)
    heads: tuple[Head, ...]


def read_question(manifest: Manifest, epoch: int, caller: str, request: peer_pb2.DecryptRequest) -> Question:
    """caller: the member of the caller's certificate. Raises InvalidInput or Refused, with the protocol's codes."""
    if caller not in manifest:
        raise Refused("NOT_A_MEMBER", "the caller is no member")
    inquiry = Inquiry.parse(request.entry)
    try:
        keys = QueryKeys(request.query_key)
        receipt = Receipt.parse(request.receipt)
        heads = tuple(Head(ref.origin, ref.size, ref.root) for ref in request.heads)
    except PlimsollError as error:
        raise InvalidInput("BAD_REQUEST", error.message, error.path) from error
    check_in_force(manifest, epoch, inquiry)
    check_heads(manifest, inquiry, heads)
    asked = Asked(caller, receipt.index, leaf_hash(request.entry), inquiry)
    return Question(asked, request.entry, receipt, keys, heads)


def check_in_force(manifest: Manifest, epoch: int, inquiry: Inquiry) -> None:
    """Q4. That the purpose is known is part of being an entry. Raises Refused."""
    if inquiry.manifest != manifest.id:
        raise Refused("OTHER_MANIFEST", "the inquiry names another manifest than the one in force", "entry")
    if inquiry.epoch != epoch:
        raise Refused("OTHER_EPOCH", f"the key epoch in force is {epoch}", "entry")
    if inquiry.as_of:
        raise Refused("AS_OF", "inquiries about a past day are not answered", "entry")


def check_heads(manifest: Manifest, inquiry: Inquiry, heads: Sequence[Head]) -> None:
    """Q5. Raises Refused (BAD_HEADS)."""
    if [head.origin for head in heads] != [manifest.origin(member.name) for member in manifest.members]:
        raise Refused("BAD_HEADS", "the heads must be the members' logs in the manifest's order", "heads")
    if tuple(head.size for head in heads) != inquiry.sizes or heads_digest(heads) != inquiry.heads_digest:
        raise Refused("BAD_HEADS", "the heads are not those that the inquiry fixes", "heads")
