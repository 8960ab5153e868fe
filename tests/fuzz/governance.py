"""Targets: how a consortium changes, what its members witness, and what a home keeps."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from plimsoll.v1 import entry_pb2

from ledger.ceremony.keeper_state import KeeperState
from ledger.chain.entries import MAX_PROPOSAL
from ledger.consortium.amendment import describe_change
from ledger.consortium.ballot import proposal_entry, read_proposal, unpacked
from ledger.consortium.ended import read_ended, render_ended
from ledger.consortium.history import History
from ledger.consortium.lineage import Lineage, open_lineage
from ledger.consortium.proposals import Proposals
from ledger.consortium.succession import read_successor
from ledger.toml import read_toml
from ledger.witnessing.cosigned import open_cosigned, verify_witnessed_in, witnesses
from ledger.witnessing.evidence import Evidence, evidence_of, read_evidence, verify_evidence
from ledger.witnessing.fork import Fork
from node.upkeep import backup
from tests import lenders
from tests.fuzz.entries import JSON, PROTOBUF, custody_states
from tests.fuzz.files import SIGNED, TOML
from tests.fuzz.formats import NOTE_TOKENS
from tests.fuzz.inputs import message, text_of
from tests.fuzz.target import Target, words
from tests.ledger import electorate, sample_logs
from tests.ledger.witnesses import AUTHOR, cosigned, head_of, history

# -- successors


def _unpacked(raw: bytes) -> None:
    text = unpacked(raw)
    assert zlib.decompress(raw) == text.encode()


def _packed() -> list[bytes]:
    return [zlib.compress(text, level) for text in _successors() for level in (0, 9)]


def _successor(raw: bytes) -> None:
    """A proposal's text, as people are shown it who are to approve."""
    known = History([lenders.manifest()])
    after = read_successor(known, text_of(raw))
    assert all(line.isprintable() for line in describe_change(known.current, after))
    for log in after.ended:
        assert read_ended(read_toml(render_ended(log))) == log
    if len(zlib.compress(raw, 9)) <= MAX_PROPOSAL:
        found = read_proposal(proposal_entry(after, 7))
        assert found is not None
        assert unpacked(found[1]).encode() == raw


@cache
def _successors() -> tuple[bytes, ...]:
    before = lenders.manifest()
    made = (electorate.moved(before), electorate.rotated(before, "lender-2"))
    return tuple(one.text.encode() for one in made)


@cache
def lineages() -> tuple[Lineage, ...]:
    """A founding, and what two thirds have approved since."""
    founding, members = electorate.founding_lineage(), electorate.Electorate()
    after = electorate.moved(founding.current)
    members.propose("lender-1", after)
    members.approve(electorate.names(1, 2, 3), after)
    proposals = Proposals(members.chain, founding.history)
    proposals.read()
    return founding, founding.followed_by(after, proposals.proofs(after.id))


def _lineage(raw: bytes) -> None:
    lineage = open_lineage(raw)
    assert open_lineage(lineage.encode()) == lineage
    lineage.check_extends(lineages()[0])


# -- evidence and witnesses


def _evidence(raw: bytes) -> None:
    evidence = verify_evidence(message(entry_pb2.Evidence, raw), sample_logs.SIGNER.key)
    assert read_evidence(evidence.entry(7), sample_logs.SIGNER.key) == evidence


@cache
def forks() -> tuple[Evidence, ...]:
    """Of heads of one size, and of two."""
    key = sample_logs.SIGNER.key
    one, other = (sample_logs.head_over(history(7, branch)) for branch in (1, 2))
    longer = history(12, 1, 3)
    chain = sample_logs.written(longer)
    state = chain.log(sample_logs.MEMBER).state
    proof = state.tree.consistency(7, 12)
    parted = Fork(other, sample_logs.head_over(longer), state.tree.root_at(7), proof)
    found = [evidence_of(fork, key) for fork in (Fork(one, other, one.head.root, ()), parted)]
    return tuple(one for one in found if one is not None)


def _cosigned(raw: bytes) -> None:
    """A head with cosignatures, as a witness is asked, and as it is kept for ever."""
    manifest = lenders.manifest(5)
    signed = open_cosigned(raw, manifest, AUTHOR)
    assert open_cosigned(signed.note.encode(), manifest, AUTHOR).cosignatures == signed.cosignatures
    assert AUTHOR not in witnesses(signed, manifest, AUTHOR)
    verify_witnessed_in(raw, History([manifest]))


def cosigned_heads() -> list[bytes]:
    """Of lender-1 among five, by as many as it takes and one more."""
    manifest = lenders.manifest(5)
    head = head_of(history(7), manifest)
    return [cosigned(head, manifest, dict.fromkeys(range(1, last), 1_760_000_000)) for last in (5, 6)]


# -- what a home keeps


def _keeper_state(raw: bytes) -> None:
    state = KeeperState.from_bytes(raw)
    assert KeeperState.from_bytes(state.to_bytes()) == state


def _keeper_states() -> Iterator[bytes]:
    states = custody_states()
    yield states[0]
    yield KeeperState(dict(enumerate(states, 1)), {2: 1_760_000_000}).to_bytes()


def _backup_index(raw: bytes) -> None:
    """What a backup says of itself; its files are opened by the names it gives."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, backup.INDEX).write_bytes(raw)
        index = backup.read_index(Path(folder))
        for file in index.files:
            with suppress(OSError):
                Path(folder, file.path).stat()
    assert backup._encode(index)


def _indices() -> Iterator[bytes]:
    file: Any = backup.FileCopy("tls/ca.pem", 700, "5f" * 32)
    log: Any = backup.LogCopy("lender-1", lenders.manifest().origin("lender-1"), 7, "5f" * 32)
    yield backup._encode(backup.Index("2026-01-01T00:00:00+00:00", "0.1.0", "lender-1", "5f" * 32, 3, (log,), (file,)))


TARGETS = (
    Target("proposal", _unpacked, _packed),
    Target("successor", _successor, lambda: _successors(), (*TOML, *SIGNED, *words("[[ended]] epoch lender-4.2"))),
    Target("lineage", _lineage, lambda: [one.encode() for one in lineages()], (*PROTOBUF, *NOTE_TOKENS)),
    Target("evidence", _evidence, lambda: [one.encode() for one in forks()], (*PROTOBUF, *NOTE_TOKENS)),
    Target("cosigned-head", _cosigned, cosigned_heads, NOTE_TOKENS),
    Target("keeper-state", _keeper_state, lambda: list(_keeper_states()), JSON),
    Target("backup-index", _backup_index, lambda: list(_indices()), (*JSON, b'"../x"', b'"a\\u0000"', b'"."')),
)
