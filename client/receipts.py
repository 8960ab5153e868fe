"""Receipts: fetched, verified and kept as files (C2SP tlog-proof), and verified again without node or home."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from client.sdk import Session
from ledger.chain.log_heads import bare
from ledger.consortium.history import History
from ledger.consortium.joined import log_name
from ledger.consortium.trust import log_key
from ledger.errors import Unverified
from ledger.tlog.checkpoint import open_head
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import VerifierKey
from ledger.tlog.receipt import Receipt
from ledger.tlog.tlog_policy import Policy
from ledger.witnessing.cosigned import verify_witnessed_in, witnesses


@dataclass(frozen=True, slots=True)
class Verified:
    """An entry that stands in a log. receipt: with no signature on its head but those that count.

    cosigners: those whose cosignatures were verified: members, or witnesses of a policy. witnessed: whether they are
    enough; None where nothing was there to tell.
    """

    receipt: Receipt
    entry: bytes
    cosigners: tuple[str, ...]
    witnessed: bool | None

    def facts(self) -> dict[str, Any]:
        """For programs."""
        head = self.receipt.claimed_head
        return {
            "log": log_name(head.origin),
            "origin": head.origin,
            "index": self.receipt.index,
            "size": head.size,
            "root": head.root.hex(),
            "leaf": leaf_hash(self.entry).hex(),
            "bytes": len(self.entry),
            "witnessed": self.witnessed,
            "cosigned_by": list(self.cosigners),
        }


def fetch(session: Session, history: History, key: VerifierKey, index: int) -> Verified:
    """The entry at `index` of the log of this key, under the largest witnessed head if that covers it, else under the
    newest. Raises Unverified for whatever does not hold, NotFound where there is no such entry."""
    response = session.receipt(key.name, index, witnessed=True)
    receipt = Receipt.parse(response.receipt)
    if receipt.index != index:
        raise Unverified("OTHER_ENTRY", f"the node shows entry {receipt.index} instead of {index}", "receipt")
    return _check(receipt, response.entry, key, history)


def check_by_key(proof: bytes, entry: bytes, key: VerifierKey) -> Verified:
    """Against the log's key alone. Raises InvalidInput, Unverified."""
    receipt = Receipt.parse(proof)
    receipt.verify(entry, key)
    return Verified(receipt, entry, (), None)


def check_by_policy(proof: bytes, entry: bytes, policy: Policy) -> Verified:
    """Against a policy: its logs, its witnesses and its quorum. Raises InvalidInput, Unverified."""
    receipt = Receipt.parse(proof)
    signed = policy.open(receipt.head_note)
    receipt.check_under(entry, signed.head)
    return Verified(receipt, entry, tuple(sorted(policy.witnesses_of(signed))), policy.quorum is not None or None)


def check_by_manifests(proof: bytes, entry: bytes, history: History) -> Verified:
    """Against the manifests: the log is one of theirs, and its head is witnessed or is not.

    Raises NotFound, InvalidInput, Unverified.
    """
    receipt = Receipt.parse(proof)
    return _check(receipt, entry, log_key(history, receipt.claimed_head.origin), history)


def _check(receipt: Receipt, entry: bytes, key: VerifierKey, history: History) -> Verified:
    signed = open_head(receipt.head_note, key)
    receipt.check_under(entry, signed.head)
    cosigners: Iterable[str] = ()
    try:
        signed, manifest, member = verify_witnessed_in(receipt.head_note, history)
        cosigners, witnessed = witnesses(signed, manifest, member), True
    except Unverified as error:
        if error.reason != "NOT_WITNESSED":
            raise
        signed, witnessed = bare(signed, key), False
    clean = Receipt(receipt.index, receipt.path, signed.note.encode())
    return Verified(clean, entry, tuple(cosigners), witnessed)
