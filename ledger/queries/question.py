"""A query as a custodian receives it: what can be said of it without a log or a clock (protocol, 9: Q1, Q4, Q5).

The manifest an inquiry names fixes the members it is about, their order and logs, and the policy; the key epoch, which
custodians can answer it. While a change spreads, inquiries under the manifest before may still be under way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from plimsoll.v1 import peer_pb2

from ledger.borrower.labels import QueryKeys
from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput, PlimsollError, Refused
from ledger.queries.findings import Asked, manifest_of
from ledger.queries.inquiry import Inquiry, heads_digest
from ledger.tlog.checkpoint import Head
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Question:
    """A well-formed request of `asked.querier` whose inquiry names what is in force and the heads that came along.

    manifest: the one it names. witnessed: a note for each frozen log. settled: one for each log in which Challenges
    count.
    """

    manifest: Manifest
    asked: Asked
    entry: bytes
    receipt: Receipt
    keys: QueryKeys = field(repr=False)
    heads: tuple[Head, ...]
    witnessed: tuple[bytes, ...]
    settled: tuple[bytes, ...] = ()


def epoch_of(request: peer_pb2.DecryptRequest) -> int:
    """The key epoch a request is about, so that it gets to the shares of that epoch. Raises InvalidInput."""
    return Inquiry.parse(request.entry).epoch


def read_question(
    history: History, epoch: int, caller: str, request: peer_pb2.DecryptRequest, also: Collection[bytes] = ()
) -> Question:
    """caller: the member of the caller's certificate. also: ids of manifests that are accepted beside the one in force.

    Raises InvalidInput or Refused, with the protocol's codes.
    """
    if caller not in history.current:
        raise Refused("NOT_A_MEMBER", "the caller is no member")
    inquiry = Inquiry.parse(request.entry)
    try:
        keys = QueryKeys(request.query_key)
        receipt = Receipt.parse(request.receipt)
        heads = tuple(Head(ref.origin, ref.size, ref.root) for ref in request.heads)
    except PlimsollError as error:
        raise InvalidInput("BAD_REQUEST", error.message, error.path) from error
    if len(request.witnessed) != len(inquiry.frozen):
        raise InvalidInput("BAD_REQUEST", "one note for each frozen log", "witnessed")
    if len(request.settled) != sum(map(bool, inquiry.settled)):
        raise InvalidInput("BAD_REQUEST", "one note for each log in which challenges count", "settled")
    manifest = _accepted(history, also, caller, inquiry)
    check_in_force(manifest, epoch, inquiry)
    check_heads(manifest, inquiry, heads)
    asked = Asked(caller, receipt.index, leaf_hash(request.entry), inquiry)
    witnessed, settled = tuple(request.witnessed), tuple(request.settled)
    return Question(manifest, asked, request.entry, receipt, keys, heads, witnessed, settled)


def _accepted(history: History, also: Collection[bytes], caller: str, inquiry: Inquiry) -> Manifest:
    """Q4. An inquiry in a log that has ended since would be forgotten with what is beyond the log's end."""
    current = history.current
    if inquiry.manifest == current.id:
        return current
    if inquiry.manifest not in also:
        raise Refused("OTHER_MANIFEST", "the inquiry names another manifest than the one in force", "entry")
    manifest = manifest_of(history, inquiry)
    if caller not in manifest or manifest.origin(caller) != current.origin(caller):
        raise Refused("OTHER_MANIFEST", "the caller writes another log under the manifest in force", "entry")
    return manifest


def check_in_force(manifest: Manifest, epoch: int, inquiry: Inquiry) -> None:
    """Q4. That the purpose is known is part of being an entry. Raises Refused."""
    if inquiry.manifest != manifest.id:
        raise Refused("OTHER_MANIFEST", "the inquiry names another manifest than the one in force", "entry")
    if inquiry.epoch != epoch or epoch > manifest.epoch:
        raise Refused("OTHER_EPOCH", f"the key epoch in force is {epoch}", "entry")
    if inquiry.as_of:
        raise Refused("AS_OF", "inquiries about a past day are not answered", "entry")


def check_heads(manifest: Manifest, inquiry: Inquiry, heads: Sequence[Head]) -> None:
    """Q5. Raises Refused (BAD_HEADS)."""
    if [head.origin for head in heads] != [manifest.origin(member.name) for member in manifest.members]:
        raise Refused("BAD_HEADS", "the heads must be the members' logs in the manifest's order", "heads")
    if tuple(head.size for head in heads) != inquiry.sizes or heads_digest(heads) != inquiry.heads_digest:
        raise Refused("BAD_HEADS", "the heads are not those that the inquiry fixes", "heads")
    if any(heads[place].size for place in inquiry.conflicting):
        raise Refused("BAD_HEADS", "a log with conflicting witnesses counts at size 0", "heads")
