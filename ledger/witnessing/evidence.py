"""Evidence of a fork (protocol sections 3 and 18): an entry that proves itself to whoever has the log's key.

Two heads under one key. Of equal sizes they differ in their roots. Of different sizes the larger one's tree has, at
the smaller one's size, another root than the smaller one: a consistency proof from it to the larger head shows that.
Nothing else is believed of it: who published it, when and where says nothing, so it may be copied and sent again.
"""

from __future__ import annotations

from dataclasses import dataclass

from plimsoll.v1 import entry_pb2

from ledger.chain.entries import parse_entry
from ledger.chain.log_heads import bare
from ledger.errors import PlimsollError, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import SignedHead, open_head
from ledger.tlog.note import VerifierKey
from ledger.witnessing.fork import Fork


@dataclass(frozen=True, slots=True)
class Evidence:
    """Verified. known: the smaller head, or the one with the smaller root; conflicting: the other one."""

    known: SignedHead
    conflicting: SignedHead
    message: entry_pb2.Evidence

    @property
    def origin(self) -> str:
        """The forked log."""
        return self.known.head.origin

    def entry(self, time: int) -> bytes:
        """An entry that tells of it; `time` in Unix seconds."""
        return entry_pb2.Entry(time=time, evidence=self.message).SerializeToString()

    def encode(self) -> bytes:
        """The serialized Evidence."""
        return self.message.SerializeToString()


def evidence_of(fork: Fork, key: VerifierKey) -> Evidence | None:
    """What shows this fork to others; None where the larger tree is not held in full, so that nothing can."""
    if fork.proof is None or fork.old_root is None:
        return None
    known, conflicting = sorted((fork.known, fork.conflicting), key=lambda signed: (signed.head.size, signed.head.root))
    message = entry_pb2.Evidence(
        origin=key.name, known=bare(known, key).note.encode(), conflicting=bare(conflicting, key).note.encode()
    )
    if known.head.size < conflicting.head.size:
        message.old_root = fork.old_root
        message.consistency.extend(fork.proof)
    return verify_evidence(message, key)


def verify_evidence(message: entry_pb2.Evidence, key: VerifierKey) -> Evidence:
    """Checks it against nothing but the log's key (type 01, named by the origin).

    Raises InvalidInput or Unverified for what is no evidence against the author of this log: another log, a signature
    that fails, heads in the wrong order, or heads that may well be of one history (NO_FORK).
    """
    if message.origin != key.name:
        raise Unverified("WRONG_ORIGIN", "the evidence is about another log", "origin")
    known, conflicting = _opened(message.known, key, "known"), _opened(message.conflicting, key, "conflicting")
    small, large = known.head, conflicting.head
    if (small.size, small.root) >= (large.size, large.root):
        raise Unverified("BAD_ORDER", "the smaller head comes first, and the heads differ", "known")
    if small.size == large.size:
        if message.old_root or message.consistency:
            raise Unverified("BAD_EVIDENCE", "heads of one size need no proof", "consistency")
    else:
        _check_parted(message)
        merkle.verify_consistency(small.size, message.old_root, large.size, large.root, tuple(message.consistency))
        if message.old_root == small.root:
            raise Unverified("NO_FORK", "the larger head extends the smaller one", "old_root")
    return Evidence(known, conflicting, message)


def _check_parted(message: entry_pb2.Evidence) -> None:
    if len(message.old_root) != merkle.HASH_SIZE:
        raise Unverified("BAD_EVIDENCE", "heads of different sizes need the root that shows them to part", "old_root")


def _opened(note: bytes, key: VerifierKey, path: str) -> SignedHead:
    try:
        return open_head(note, key)
    except PlimsollError as error:
        raise error.under(path) from error


def read_evidence(entry: bytes, key: VerifierKey) -> Evidence:
    """As `verify_evidence`, of an entry's bytes. Raises the same."""
    return verify_evidence(parse_entry(entry).evidence, key)
