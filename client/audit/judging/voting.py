"""Proposals and Approvals in the logs, held against the manifests that a node shows (docs/protocol.md, section 14).

The lineage proves itself. The logs show more: members that approved two successors of one manifest, approvals shown to
the auditor that stand in no log, and a successor that is approved and kept back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from client.audit.judging.ballots import Ballots
from client.audit.reading.one_log import OneLog
from client.audit.report import Finding
from ledger.chain.chain import Chain
from ledger.consortium.ballot import read_proposal, unpacked
from ledger.consortium.history import History
from ledger.consortium.lineage import ApprovalProof, Lineage
from ledger.consortium.manifest import Manifest
from ledger.consortium.proposals import Proposals
from ledger.errors import Exhausted, InvalidInput, Unavailable
from ledger.tlog import merkle
from ledger.tlog.receipt import Receipt


def sizes(lineage: Lineage, origin: str) -> set[int]:
    """The sizes of a log at which the approvals in a lineage need its root."""
    return {receipt.claimed_head.size for of, receipt, _ in _approvals(lineage) if of == origin}


def leaves(lineage: Lineage, origin: str) -> set[int]:
    """The indices of a log at which they stand."""
    return {receipt.index for of, receipt, _ in _approvals(lineage) if of == origin}


class Voting:
    """What the logs say of every manifest and its successor. Made once the logs have been read."""

    def __init__(self, lineage: Lineage, logs: Sequence[OneLog]) -> None:
        self._lineage = lineage
        self._logs = {log.key.name: log for log in logs}
        self._proposers = self._find_proposers()

    def told(self) -> list[dict[str, Any]]:
        """Of every manifest, the founding one first: who proposed it, as far as these logs tell, and who approved."""
        history, approvals = self._lineage.history, ((), *self._lineage.approvals)
        return [
            {
                "sequence": manifest.sequence,
                "id": manifest.id.hex(),
                "epoch": manifest.epoch,
                "members": [member.name for member in manifest.members],
                "proposed": self._proposer(manifest),
                "approved": [{"member": each.member, "index": Receipt.parse(each.receipt).index} for each in proofs],
            }
            for manifest, proofs in zip(history.manifests, approvals, strict=True)
        ]

    def findings(self) -> Iterator[Finding]:
        """Members that approved two successors, and approvals that are not what the logs have."""
        for log in self._logs.values():
            for double in log.tally.ballots.double_votes:
                message = f"approves another successor of one manifest than entry {double.first} does"
                yield Finding(log.member, double.second, "DOUBLE_VOTE", message)
        for origin, receipt, proof in _approvals(self._lineage):
            log = self._logs[origin]
            if not log.is_settled and (wrong := _wrong(log, receipt, proof)):
                yield Finding(proof.member, receipt.index, *wrong)

    def approved(self) -> list[bytes]:
        """The ids of successors that the logs show to be approved, and that are not those of the lineage: of one before
        the last manifest such a one cannot be, and of the last it is kept back."""
        manifests = self._lineage.history.manifests
        shown = {manifest.id for manifest in manifests}
        # Proposals of what is in force are verified already; only beside others is there anything to count.
        doubtful = {previous for previous, identity in self._proposers if identity not in shown}
        found = (
            self._accepted(History(manifests[:number]))
            for number, before in enumerate(manifests, 1)
            if before.id in doubtful
        )
        return [identity for identity in found if identity is not None and identity not in shown]

    def _find_proposers(self) -> dict[tuple[bytes, bytes], str]:
        """By the ids of predecessor and successor: whose proposal comes first in the order of the logs."""
        found: dict[tuple[bytes, bytes], str] = {}
        for log in self._logs.values():
            for _, entry in log.tally.ballots.entries_by_kind("proposal"):
                proposal = read_proposal(entry)
                assert proposal is not None, "of this kind"
                try:
                    text = unpacked(proposal[1])
                except InvalidInput:  # nobody can approve that
                    continue
                found.setdefault((proposal[0], hashlib.sha256(text.encode()).digest()), log.member)
        return found

    def _proposer(self, manifest: Manifest) -> str | None:
        """Nobody where it stands beyond what the node has of a log that has ended."""
        return None if manifest.previous is None else self._proposers.get((manifest.previous, manifest.id))

    def _accepted(self, history: History) -> bytes | None:
        """The successor of the last of these manifests that enough members have approved."""
        # Of a log it uses no more than `Ballots` has.
        chain = cast(Chain, _Ballots({origin: log.tally.ballots for origin, log in self._logs.items()}))
        # Up to where the votes of a frozen log count, its author has to be asked; nothing is made of them here.
        proposals = Proposals(chain, history, lambda origin: 0 if self._logs[origin].accused else None)
        proposals.read()
        accepted = proposals.accepted()
        return None if accepted is None else accepted.manifest.id


class _Ballots:
    """In place of a chain."""

    def __init__(self, logs: Mapping[str, Ballots]) -> None:
        self._logs = logs

    def log_by_origin(self, origin: str) -> Ballots:
        """See Chain."""
        return self._logs[origin]


def _approvals(lineage: Lineage) -> Iterator[tuple[str, Receipt, ApprovalProof]]:
    """Each with the log that it stands in: the one that its author has under the predecessor."""
    for before, proofs in zip(lineage.history.manifests, lineage.approvals, strict=False):
        for proof in proofs:
            yield before.origin(proof.member), Receipt.parse(proof.receipt), proof


def _wrong(log: OneLog, receipt: Receipt, proof: ApprovalProof) -> tuple[str, str] | None:
    """Reason and message; nothing where the node does not have that much of the log."""
    leaf, head = log.follower.leaf(receipt.index), receipt.claimed_head
    if leaf is not None and leaf != merkle.leaf_hash(proof.entry):
        return "OTHER_ENTRY", "the approval that the node shows of its manifest is not what the log has there"
    try:
        parted = head.size <= log.size and not log.begins_with(head)
    except (Unavailable, Exhausted):
        return None
    if parted:
        return "FORK", f"the approval that the node shows is in another log, of size {head.size}"
    return None
