"""A consortium whose members cosign each other's heads: logs in memory, keys from seeds."""

from __future__ import annotations

from collections.abc import Sequence

from plimsoll.v1 import entry_pb2

from ledger.chain.chain import Chain, LogName
from ledger.chain.memory_store import MemoryStore
from ledger.chain.store import Store
from ledger.consortium.manifest import Manifest
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, SignedHead, sign_head
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import Note, Signer
from tests.lenders import lender, manifest

AUTHOR = "lender-1"


def name(number: int) -> str:
    return f"lender-{number}"


def signer(number: int, count: int = 5) -> Signer:
    return Signer.from_seed(manifest(count).origin(name(number)), lender(number).keyring.log_seed)


def cosigner(number: int, of: Manifest) -> Cosigner:
    return Cosigner.from_seed(of.cosigner_key(name(number)).name, lender(number).keyring.cosign_seed)


def chain_of(of: Manifest, store: Store | None = None) -> Chain:
    names = [LogName(each.name, of.origin(each.name), of.log_key(each.name)) for each in of.members]
    return Chain(MemoryStore() if store is None else store, names)


def entry(number: int) -> bytes:
    """A sound entry; another for each number."""
    evaluation = entry_pb2.Evaluation(count=1, epoch=1, batch_digest=number.to_bytes(32, "big"))
    return entry_pb2.Entry(time=number, evaluation=evaluation).SerializeToString()


def history(size: int, branch: int = 0, common: int = 0) -> list[bytes]:
    """`size` entries, of which the first `common` are those of every branch."""
    return [entry(number if number < common else branch * 10**6 + number) for number in range(size)]


def head_of(entries: Sequence[bytes], of: Manifest, author: int = 1) -> SignedHead:
    root = merkle.root_of([merkle.leaf_hash(one) for one in entries])
    origin = of.origin(name(author))
    return sign_head(Head(origin, len(entries), root), Signer.from_seed(origin, lender(author).keyring.log_seed))


def cosigned(head: SignedHead, of: Manifest, times: dict[int, int]) -> bytes:
    """The head's note with the cosignatures of these members at these times."""
    note: Note = head.note
    for number, time in times.items():
        note = note.with_signatures([cosigner(number, of).cosign(note.text, time)])
    return note.encode()
