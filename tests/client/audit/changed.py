"""A consortium that has changed: its policy, a new member, a log key, shares dealt anew, a member that forked and left.

Everything is in the logs as real members would have put it there: proposals, approvals, both ceremonies, the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from plimsoll.v1 import audit_pb2, entry_pb2

from client.audit.auditor import Auditor
from client.audit.report import Report
from client.credentials import Endpoint
from ledger.ceremony import CeremonyContext, Former
from ledger.consortium.ballot import Vote, approval_entry, proposal_entry
from ledger.consortium.caller import Caller, server_name
from ledger.consortium.founding import SignedManifest
from ledger.consortium.joined import name_in
from ledger.consortium.lineage import ApprovalProof, Lineage, founded
from ledger.consortium.manifest import Manifest
from ledger.queries.transcript import FULL, REDACTED, Transcript
from ledger.tlog.checkpoint import Head, sign_head
from tests.client.audit import world
from tests.client.audit.world import Served, altered, hold, run_ceremony
from tests.ledger.changing import freeze, succeed
from tests.ledger.sample_consortium import POLICY, Consortium, MemoryLog, found, loan
from tests.lenders import lender

KEEPERS = ("lender-1", "lender-2", "lender-3")
FORKER = "lender-4"
BORROWER = "test:changed"
TIME = 1_760_000_500


@dataclass
class Changed:
    """transcripts: by name and form. kept: logs and manifests as they stood before that."""

    consortium: Consortium
    lineage: Lineage
    transcripts: dict[tuple[str, str], bytes] = field(default_factory=dict)
    kept: dict[str, tuple[dict[str, MemoryLog], Lineage]] = field(default_factory=dict)

    def pass_change(self, proposer: str, voters: Sequence[str], **change: object) -> Manifest:
        before = self.consortium.manifest
        after = succeed(self.consortium, **change)  # type: ignore[arg-type]
        self.log(before, proposer).append(proposal_entry(after, TIME))
        proofs = []
        for name in voters:
            entry, log = approval_entry(Vote(before.id, after.id), TIME), self.log(before, name)
            proofs.append(ApprovalProof(name, entry, log.receipt(log.append(entry))))
        self.lineage = self.lineage.followed_by(after, proofs)
        return after

    def log(self, manifest: Manifest, member: str) -> MemoryLog:
        return self.consortium.logs[name_in(manifest, member)]

    def keep(self, name: str) -> None:
        self.kept[name] = {name: log.fork(log.size) for name, log in self.consortium.logs.items()}, self.lineage

    def ask(self, name: str, querier: str) -> None:
        self.consortium.now += 1
        answer = self.consortium.ask(querier, BORROWER)
        for form in (FULL, REDACTED):
            self.transcripts[name, form] = Transcript.of(answer, form).encode()


@cache
def changed() -> Changed:
    """Not to be changed."""
    consortium = found(4, POLICY, seed="changed", custodians=KEEPERS)
    signed = SignedManifest(consortium.manifest, ())
    for number in range(1, 5):
        signed = signed.signed_by(f"lender-{number}", lender(number).keyring.log_seed)
    story = Changed(consortium, founded(signed.encode()))
    hold(consortium, run_ceremony(consortium))
    for number in range(1, 5):
        consortium.report(f"lender-{number}", BORROWER, loan(10 * number))
    story.ask("founding", "lender-1")
    story.pass_change("lender-2", KEEPERS, policy=replace(POLICY, grace_days=11))
    story.pass_change("lender-1", ("lender-1", "lender-2", "lender-4"), join=["lender-5"])
    consortium.report("lender-5", BORROWER, loan(50))
    story.ask("joined", "lender-3")
    rotate(story)
    refresh(story)
    story.ask("refreshed", "lender-5")
    fork(story)
    story.ask("frozen", "lender-1")
    story.keep("expulsion")
    voters = ("lender-1", "lender-2", "lender-3", "lender-5")
    story.pass_change("lender-5", voters, leave=[FORKER], ended={FORKER: consortium.log(FORKER).size - 1})
    story.ask("expelled", "lender-1")
    return story


def rotate(story: Changed) -> None:
    """lender-3 gets a new log key: it approves in the old log, beyond the place where that ends."""
    size = story.consortium.log("lender-3").size
    story.pass_change("lender-3", ("lender-1", "lender-2", "lender-3", "lender-5"), rotate={"lender-3": size})
    story.consortium.report("lender-3", BORROWER, loan(33))


def refresh(story: Changed) -> None:
    """The custodians deal each other new shares."""
    consortium, old = story.consortium, story.consortium.ceremony
    manifest = story.pass_change("lender-1", ("lender-1", "lender-2", "lender-3", "lender-5"), custodians=KEEPERS)
    story.keep("dealing")
    former = Former(KEEPERS, manifest.threshold, old.public)
    context = CeremonyContext.of(manifest, 2, former)
    hold(consortium, run_ceremony(consortium, context, dict(zip(KEEPERS, old.shares, strict=True))))
    assert (consortium.keys.epoch, list(consortium.keys)) == (2, list(old.public))
    consortium.report("lender-2", BORROWER, loan(22), epoch=2)


def fork(story: Changed) -> None:
    """lender-4 signs two heads of one size; two others publish that. All but its last entry was witnessed."""
    consortium = story.consortium
    consortium.report(FORKER, BORROWER, loan(44))
    for member in ("lender-1", "lender-2"):
        consortium.log(member).append(evidence(consortium.log(FORKER), other_branch(consortium.log(FORKER))))
    freeze(consortium, FORKER, consortium.log(FORKER).size - 1)


def other_branch(log: MemoryLog, at: int | None = None) -> MemoryLog:
    """The same log but for its last entry, or the one at this index, which nobody can read."""
    at = log.size - 1 if at is None else at
    return altered(log, at, b"\xff")


def evidence(log: MemoryLog, branch: MemoryLog) -> bytes:
    """An entry that shows that both have been signed."""
    signer, size = log._signer, log.size
    heads = [Head(signer.key.name, size, one.root_at(size)) for one in (log, branch)]
    notes = [sign_head(head, signer).note.encode() for head in sorted(heads, key=lambda head: head.root)]
    message = entry_pb2.Evidence(origin=signer.key.name, known=notes[0], conflicting=notes[1])
    return entry_pb2.Entry(time=TIME, evidence=message).SerializeToString()


@dataclass
class Node(Served):
    """A member's node in this consortium: at its end unless told otherwise."""

    logs: dict[str, MemoryLog] = field(default_factory=lambda: dict(changed().consortium.logs))
    lineage: Lineage = field(default_factory=lambda: changed().lineage)
    note: bytes = b"-"

    @property
    def endpoint(self) -> Endpoint:
        caller = Caller(self.lineage.history.consortium, "lender-1", "auditor", "home")
        return Endpoint(f"{self.member}:1", server_name(self.member), caller, b"", b"", b"")

    def manifests(self) -> audit_pb2.ManifestResponse:
        return audit_pb2.ManifestResponse(manifest=self.lineage.founding, successions=self.lineage.successions())


def before(event: str, member: str) -> Node:
    """A node as it was before that: "dealing" of new shares, "expulsion" of the member that has forked."""
    logs, lineage = changed().kept[event]
    return Node(member, logs=dict(logs), lineage=lineage)


def audit(through: Node | None = None, *others: Node, **scope: object) -> Report:
    """Through lender-1's node unless told otherwise; the members not given are honest."""
    report, _ = audit_twice(through or Node("lender-1"), *others, **scope)
    return report


def audit_twice(through: Node, *others: Node, **scope: object) -> tuple[Report, Auditor]:
    """The report, and the auditor for what it remembers."""
    members = [member.name for member in through.lineage.current.members]
    nodes = {member: Node(member) for member in members} | {other.member: other for other in others}
    return world.audit_over(nodes, through, **scope)


def everywhere(logs: Mapping[str, MemoryLog], **facts: object) -> list[Node]:
    """All nodes with these logs in place of those of the same names."""
    whole = {**changed().consortium.logs, **logs}
    members = [member.name for member in changed().lineage.current.members]
    return [Node(member, logs=dict(whole), **facts) for member in members]  # type: ignore[arg-type]


def grown(name: str, *entries: bytes) -> dict[str, MemoryLog]:
    """One log with more in it."""
    log = changed().consortium.logs[name]
    log = log.fork(log.size)
    for entry in entries:
        log.append(entry)
    return {name: log}
